package mapping

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
)

// endpoint is AWS's pattern for a bootstrap server.
var endpoint = regexp.MustCompile(`^(([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])\.)*([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]):[0-9]{1,5}$`)

func (m Mapping) checkSource(c *checker) {
	const field = "SelfManagedEventSource.Endpoints.KAFKA_BOOTSTRAP_SERVERS"
	servers := m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers
	switch {
	case len(servers) == 0:
		c.refuse(field, nil, "Unrecognized event source. Name at least one broker as host:port")
	case c.strict && len(servers) > 10:
		c.refuse(field, len(servers), "AWS allows 10 endpoints; a few are enough, the others are found through them")
	}
	for i, server := range servers {
		if reason := endpointReason(server, c.strict); reason != "" {
			var value any = server
			if strings.Contains(server, "@") { // user:password@host
				value = nil
			}
			c.refuse(fmt.Sprintf("%s[%d]", field, i), value, reason)
		}
	}
}

// endpointReason returns what is wrong with a bootstrap server, or "".
func endpointReason(server string, strict bool) string {
	const form = "want host:port, such as broker-1.example.com:9092"
	host, port, err := net.SplitHostPort(server)
	number, notNumber := strconv.ParseUint(port, 10, 16)
	switch {
	case server == "":
		return "is empty; " + form
	case len(server) > 300:
		return "has more than 300 characters; " + form
	case strings.Contains(server, "://"):
		return "has a scheme; " + form
	case strings.Contains(server, "@"):
		return "has a @; " + form + ", and put user and password into a secret (SourceAccessConfigurations)"
	case strings.Contains(server, ","):
		return "has a comma; list each broker separately"
	case strings.ContainsFunc(server, func(r rune) bool { return r <= ' ' || r == '/' || r >= 0x7f }):
		return "has a character that host:port cannot have; " + form
	case err != nil && strings.Count(server, ":") > 1:
		return "an IPv6 address needs brackets, such as [::1]:9092"
	case err != nil:
		return "has no port; " + form
	case host == "":
		return "has no host; " + form
	case notNumber != nil || number == 0:
		return "the port must be 1 to 65535"
	case strings.HasPrefix(server, "[") && (!strings.Contains(host, ":") || net.ParseIP(withoutZone(host)) == nil):
		return "what is in brackets is not an IPv6 address"
	case strict && !endpoint.MatchString(server):
		return "AWS allows a name or an IPv4 address, of letters, digits, - and . only"
	}
	return ""
}

// withoutZone removes the zone from an IPv6 address such as fe80::1%eth0.
func withoutZone(host string) string {
	address, _, _ := strings.Cut(host, "%")
	return address
}

var (
	// topicName is Kafka's rule for the name of a topic. Kafka also refuses the names . and ..
	topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)
	// strictTopicName is AWS's pattern, which wants at least two characters.
	strictTopicName = regexp.MustCompile(`^[^.][a-zA-Z0-9\-_.]+$`)
)

func (m Mapping) checkTopics(c *checker) {
	switch {
	case len(m.Topics) == 0:
		c.refuse("Topics", nil, "name at least one topic")
	case c.strict && len(m.Topics) > 1:
		c.refuse("Topics", len(m.Topics), "AWS allows exactly one topic; make a mapping for each")
	}
	seen := make(map[string]int, len(m.Topics))
	for i, topic := range m.Topics {
		field := fmt.Sprintf("Topics[%d]", i)
		if first, twice := seen[topic]; twice {
			c.refuse(field, topic, fmt.Sprintf("is Topics[%d] again; leave one of them out", first))
			continue
		}
		seen[topic] = i
		if reason := topicReason(topic, c.strict); reason != "" {
			c.refuse(field, topic, reason)
		}
	}
}

// topicReason returns what is wrong with a topic, or "".
func topicReason(topic string, strict bool) string {
	if strings.HasPrefix(topic, "^") {
		_, err := regexp.Compile(topic)
		switch {
		case err != nil:
			return "begins with ^ but is not a regular expression in Go's syntax: " + err.Error()
		case strict:
			return "AWS has no topics by regular expression; name the topic"
		}
		return ""
	}
	switch {
	case topic == "":
		return "is empty; name a topic"
	case len(topic) > 249:
		return "has more than 249 characters"
	case !topicName.MatchString(topic):
		return "must be letters, digits, . _ and -; a regular expression begins with ^"
	case topic == "." || topic == "..":
		return "is not a valid name of a Kafka topic"
	case strict && !strictTopicName.MatchString(topic):
		return "AWS requires at least two characters, the first of which is not a dot"
	}
	return ""
}
