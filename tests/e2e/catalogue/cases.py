"""All cases, in the order in which they run: later ones use what earlier ones made."""

from catalogue import checklist, devices, fleets, releases, sdk, version_six

ALL = fleets.CASES + releases.CASES + devices.CASES + sdk.CASES + checklist.CASES + version_six.CASES
