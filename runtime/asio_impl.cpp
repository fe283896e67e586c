// Asio and Beast are declared header by header everywhere else and compiled here, once.
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>

#include <utility>
