package kafkatest

import (
	"os"
	"strings"
	"testing"
)

// envKafka is the variable that turns real brokers on; see the package documentation for its values.
const envKafka = "ESM_KAFKA"

// guard is what the environment says about real brokers.
type guard struct {
	skip    string // why not to run; empty means run
	version string // for tests that name none
}

func readGuard(getenv func(string) string) guard {
	switch v := getenv(envKafka); v {
	case "":
		if getenv("CI") != "true" {
			return guard{skip: "needs Apache Kafka: set " + envKafka + "=1 to run it (java 17 or later; mvn for the first run)"}
		}
		return guard{version: DefaultVersion}
	case "0":
		return guard{skip: "real brokers are turned off by " + envKafka + "=0"}
	case "1":
		return guard{version: DefaultVersion}
	default:
		return guard{version: v}
	}
}

// admit returns the version to run. It skips a test if real brokers are not wanted, and fails it if `-run Kafka` would
// not find its name.
func admit(tb testing.TB) string {
	tb.Helper()
	top, _, _ := strings.Cut(tb.Name(), "/")
	if !strings.Contains(top, "Kafka") {
		tb.Fatalf("kafkatest: %s starts a real broker but has no \"Kafka\" in its top-level name: CI finds such tests by it", top)
	}
	g := readGuard(os.Getenv)
	if g.skip != "" {
		tb.Skip(g.skip)
	}
	return g.version
}
