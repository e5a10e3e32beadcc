package kafkatest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// DefaultVersion is the Apache Kafka version that runs unless the test or the environment names another.
const DefaultVersion = "4.2.1"

// release holds what differs between the supported versions of Apache Kafka.
type release struct {
	jars      []string // Maven coordinates, group:artifact:version
	zookeeper bool     // the controller state is in ZooKeeper, not in the broker
	log4j1    bool     // logging is configured by log4j 1's property names
}

// kraft4 returns a 4.x release: it uses slf4j-api 1.7 and comes without a binding.
func kraft4(version string) release {
	return release{jars: []string{
		"org.apache.kafka:kafka_2.13:" + version,
		"org.apache.kafka:kafka-tools:" + version,
		"org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
	}}
}

// releases are the versions that are known to work on Java 17.
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

// OtherVersions are the versions besides [DefaultVersion] that smoke tests run on. docs/brokers.md has the table of
// what was tested.
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

// Older reports whether the cluster's version is older than another, such as "2.8" or "0.11".
func (c *Cluster) Older(than string) bool {
	return slices.Compare(numbers(c.cfg.version), numbers(than)) < 0
}

// numbers returns the parts of a known version, all of which are numbers.
func numbers(version string) []int {
	var n []int
	for part := range strings.SplitSeq(version, ".") {
		i, _ := strconv.Atoi(part)
		n = append(n, i)
	}
	return n
}
