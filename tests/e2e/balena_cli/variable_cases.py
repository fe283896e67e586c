"""Variables and tags of fleets, devices, services and releases (balena-api.md 4.9)."""

from cases import Cases


class Variables(Cases):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fleet = cls.ann.fleet("cars")
        cls.release = cls.ann.release(cls.fleet["id"])
        cls.device = cls.ann.device(cls.fleet["id"])
        cls.of_fleet = ("--fleet", cls.fleet["slug"])
        cls.of_device = ("--device", cls.device["uuid"])

    def listed(self, name, *where):
        """The rows of this name as `env list --json` tells them."""
        return [row for row in self.ann.balena("env", "list", *where, "--json").json if row["name"] == name]

    def goes_through_its_life(self, name, where, flags, expected):
        """Set, set again, list, rename (which changes the value), remove."""
        config = ("--config",) if name.startswith("BALENA_") else ()
        listing = tuple(w for w in where) + config
        self.ann.balena("env", "set", name, "one", *where)
        row = self.listed(name, *listing)[0]
        self.assertEqual({key: row[key] for key in expected}, expected)
        self.assertEqual(row["value"], "one")
        self.ann.balena("env", "set", name, "two words", *where)
        rows = self.listed(name, *listing)
        self.assertEqual([(r["id"], r["value"]) for r in rows], [(row["id"], "two words")])
        self.ann.balena("env", "rename", row["id"], "three", *flags)
        self.says(self.ann.balena("env", "list", *listing), name, "three")
        self.ann.balena("env", "rm", row["id"], *flags, "--yes")
        self.assertEqual(self.listed(name, *listing), [])

    def test_a_variable_of_a_fleet(self):
        self.goes_through_its_life("COLOUR", self.of_fleet, (), {"fleet": self.fleet["slug"]})

    def test_a_variable_of_a_service_of_a_fleet(self):
        self.goes_through_its_life("SPEED", (*self.of_fleet, "--service", "main"), ("--service",), {"serviceName": "main"})

    def test_a_configuration_variable_of_a_fleet(self):
        self.goes_through_its_life("BALENA_HOST_CONFIG_gpu_mem", self.of_fleet, ("--config",), {"fleet": self.fleet["slug"]})

    def test_a_variable_of_a_device(self):
        self.goes_through_its_life("PLACE", self.of_device, ("--device",), {"deviceUUID": self.device["uuid"]})

    def test_a_variable_of_a_service_on_a_device(self):
        self.goes_through_its_life("LEVEL", (*self.of_device, "--service", "main"), ("--device", "--service"),
                                   {"deviceUUID": self.device["uuid"], "serviceName": "main"})

    def test_a_configuration_variable_of_a_device(self):
        self.goes_through_its_life("BALENA_SUPERVISOR_POLL_INTERVAL", self.of_device, ("--device", "--config"),
                                   {"deviceUUID": self.device["uuid"]})

    def test_a_device_shows_the_variables_of_its_fleet_too(self):
        self.ann.api.create("application_environment_variable", application=self.fleet["id"], name="SHARED", value="by all")
        row = self.listed("SHARED", *self.of_device)[0]
        self.assertEqual((row["value"], row["fleet"]), ("by all", self.fleet["slug"]))

    def test_a_name_that_is_reserved_or_no_name_is_refused(self):
        self.ann.refused("env", "set", "1BAD", "x", *self.of_fleet, words="name")
        self.ann.refused("env", "set", "GOOD", "x", "--fleet", "no_such/fleet", words="not found")
        self.ann.refused("env", "set", "GOOD", "x", *self.of_fleet, "--service", "no-such-service", words="service")


class Tags(Cases):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fleet = cls.ann.fleet("cars")
        cls.release = cls.ann.release(cls.fleet["id"])
        cls.device = cls.ann.device(cls.fleet["id"])

    def goes_through_its_life(self, *where):
        self.ann.balena("tag", "set", "depth", "12", *where)
        self.ann.balena("tag", "set", "depth", "13 metres", *where)
        self.assertEqual(self.ann.balena("tag", "list", *where).table("tag key", "value"), [{"tag key": "depth", "value": "13 metres"}])
        self.ann.balena("tag", "rm", "depth", *where)
        self.assertNotIn("depth", self.ann.balena("tag", "list", *where, code=None).out)

    def test_a_tag_of_a_fleet(self):
        self.goes_through_its_life("--fleet", self.fleet["slug"])

    def test_a_tag_of_a_device(self):
        self.goes_through_its_life("--device", self.device["uuid"])

    def test_a_tag_of_a_release(self):
        self.goes_through_its_life("--release", self.release["commit"])

    def test_a_tag_without_a_value_and_one_with_a_reserved_name(self):
        self.ann.balena("tag", "set", "bare", "--fleet", self.fleet["slug"])
        row = self.ann.row(f"application_tag?$filter=application eq {self.fleet['id']} and tag_key eq 'bare'")
        self.assertEqual(row["value"], "")
        self.ann.refused("tag", "set", "io.balena.mine", "x", "--fleet", self.fleet["slug"], words="io.balena")
