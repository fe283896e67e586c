#include "domain/schema.hpp"
