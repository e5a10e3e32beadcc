package kafkatest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// DefaultVersion is the Apache Kafka that runs where neither the test nor the
// environment names another.
const DefaultVersion = "4.2.1"

// release is what differs between the versions of Apache Kafka we can run.
type release struct {
	jars      []string // Maven coordinates, group:artifact:version
	zookeeper bool     // the controller lives in ZooKeeper, not in the broker
	log4j1    bool     // logging is configured by log4j 1's property names
}

// kraft4 is a 4.x: its slf4j-api is 1.7 and it brings no binding of its own.
func kraft4(version string) release {
	return release{jars: []string{
		"org.apache.kafka:kafka_2.13:" + version,
		"org.apache.kafka:kafka-tools:" + version,
		"org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
	}}
}

// releases are the versions that were seen to work on Java 17.
func releases() map[string]release {
	return map[string]release{
		"4.3.0": kraft4("4.3.0"),
		"4.2.1": kraft4("4.2.1"),
		"4.1.1": kraft4("4.1.1"),
		"4.0.0": kraft4("4.0.0"),
		"3.9.1": {log4j1: true, jars: []string{
			"org.apache.kafka:kafka_2.13:3.9.1",
			"org.apache.kafka:kafka-tools:3.9.1",
		}},
		"2.8.2": {log4j1: true, zookeeper: true, jars: []string{
			"org.apache.kafka:kafka_2.13:2.8.2",
			"org.apache.kafka:kafka-tools:2.8.2",
		}},
		// Java 17 no longer has javax.xml.bind, which this one uses.
		"0.10.2.2": {log4j1: true, zookeeper: true, jars: []string{
			"org.apache.kafka:kafka_2.11:0.10.2.2",
			"org.apache.kafka:kafka-tools:0.10.2.2",
			"javax.xml.bind:jaxb-api:2.3.1",
			"javax.activation:javax.activation-api:1.2.0",
		}},
	}
}

// OtherVersions are those beside [DefaultVersion] that smoke tests run on. The
// table of what was tried is docs/brokers.md.
func OtherVersions() []string { return []string{"4.3.0", "4.1.1", "3.9.1", "2.8.2", "0.10.2.2"} }

func lookupRelease(version string) (release, error) {
	all := releases()
	r, ok := all[version]
	if !ok {
		known := slices.Sorted(maps.Keys(all))
		return release{}, fmt.Errorf("unknown Apache Kafka version %q: use one of %s", version, strings.Join(known, ", "))
	}
	return r, nil
}

// Older reports whether the version that runs comes before another, "2.8" or
// "0.11".
func (c *Cluster) Older(than string) bool {
	return slices.Compare(numbers(c.cfg.version), numbers(than)) < 0
}

// numbers of a version that we know, all of which have digits alone.
func numbers(version string) []int {
	var n []int
	for part := range strings.SplitSeq(version, ".") {
		i, _ := strconv.Atoi(part)
		n = append(n, i)
	}
	return n
}
