package mapping

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Each case changes one thing. loose and strict are what the field's error must contain; "" means accepted.
type limitCase struct {
	name          string
	change        func(*Mapping)
	field         string
	loose, strict string
}

const servers = "SelfManagedEventSource.Endpoints.KAFKA_BOOTSTRAP_SERVERS"

func limitCases() []limitCase {
	var cases []limitCase
	add := func(field, name string, change func(*Mapping), loose, strict string) {
		cases = append(cases, limitCase{name, change, field, loose, strict})
	}
	both := func(field, name string, change func(*Mapping), reason string) {
		add(field, name, change, reason, reason)
	}
	group := func(m *Mapping) *SelfManagedKafkaEventSourceConfig {
		m.SelfManagedKafkaEventSourceConfig = &SelfManagedKafkaEventSourceConfig{}
		return m.SelfManagedKafkaEventSourceConfig
	}

	for _, n := range []struct {
		n      int
		reason string
	}{{-1, "1 to 10000"}, {0, ""}, {1, ""}, {10_000, ""}, {10_001, "1 to 10000"}} {
		both("BatchSize", fmt.Sprint(n.n), func(m *Mapping) { m.BatchSize = n.n }, n.reason)
	}
	for _, p := range []struct {
		field  string
		set    func(*Mapping, *int)
		good   []int
		bad    []int
		reason string
	}{
		{"MaximumBatchingWindowInSeconds", func(m *Mapping, n *int) { m.MaximumBatchingWindowInSeconds = n }, []int{0, 300}, []int{-1, 301}, "0 to 300"},
		{"MaximumRetryAttempts", func(m *Mapping, n *int) { m.MaximumRetryAttempts = n }, []int{-1, 0, 10_000}, []int{-2, 10_001}, "-1 to 10000"},
		{"MaximumRecordAgeInSeconds", func(m *Mapping, n *int) { m.MaximumRecordAgeInSeconds = n }, []int{-1, 60, 604_800}, []int{-2, 0, 59, 604_801}, "60 to 604800"},
		{"ProvisionedPollerConfig.MinimumPollers", func(m *Mapping, n *int) { m.ProvisionedPollerConfig.MinimumPollers = n }, []int{1, 200}, []int{0}, "1 to 200"},
		{"ProvisionedPollerConfig.MaximumPollers", func(m *Mapping, n *int) { m.ProvisionedPollerConfig.MaximumPollers = n }, []int{1, 2000}, []int{2001}, "1 to 2000"},
	} {
		for _, n := range p.good {
			both(p.field, fmt.Sprint(n), func(m *Mapping) { p.set(m, new(n)) }, "")
		}
		for _, n := range p.bad {
			both(p.field, fmt.Sprint(n), func(m *Mapping) { p.set(m, new(n)) }, p.reason)
		}
		both(p.field, "unset", func(m *Mapping) { p.set(m, nil) }, "")
	}
	both("ProvisionedPollerConfig.MinimumPollers", "more than the most", func(m *Mapping) {
		m.ProvisionedPollerConfig = &ProvisionedPollerConfig{MinimumPollers: new(4), MaximumPollers: new(3)}
	}, "more than MaximumPollers (3)")
	for name, reason := range map[string]string{strings.Repeat("g", 128): "", strings.Repeat("g", 129): "0 to 128", "a b": "letters", "A-b_9": ""} {
		both("ProvisionedPollerConfig.PollerGroupName", name, func(m *Mapping) { m.ProvisionedPollerConfig.PollerGroupName = name }, reason)
	}

	for _, f := range []struct{ name, loose, strict string }{
		{"", "", "required by AWS"}, {strings.Repeat("f", 64), "", ""}, {strings.Repeat("f", 65), "", "64 characters"},
		{strings.Repeat("f", 257), "1 to 256", "1 to 256"}, {"an order handler", "", "name or ARN"}, {"a\nb", "control characters", "control characters"},
		{"a\xff", "UTF-8", "UTF-8"}, {"fn:PROD", "", ""}, {"fn:$LATEST", "", ""}, {"012345678901:function:fn", "", ""},
		{"arn:aws:lambda:eu-central-1:012345678901:function:fn:3", "", ""}, {"arn:aws-us-gov:lambda:us-gov-west-1:012345678901:function:fn", "", ""},
	} {
		add("FunctionName", f.name, func(m *Mapping) {
			m.FunctionName, m.UUID = f.name, "14e0db71-5d35-4eb5-b481-8945cf9d10c2"
		}, f.loose, f.strict)
	}
	both("UUID", "no UUID", func(m *Mapping) { m.UUID = "dh38738e-992b-343a-1077-3478934hjkfd" }, "must be a UUID")
	both("UUID", "in capitals", func(m *Mapping) { m.UUID = "14E0DB71-5D35-4EB5-B481-8945CF9D10C2" }, "")

	both(servers, "none", func(m *Mapping) { m.SelfManagedEventSource = SelfManagedEventSource{} }, "Unrecognized event source.")
	for _, n := range []struct {
		n      int
		strict string
	}{{10, ""}, {11, "AWS allows 10 endpoints"}} {
		add(servers, fmt.Sprint(n.n), func(m *Mapping) {
			m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers = slices.Repeat([]string{"a:1"}, n.n)
		}, "", n.strict)
	}
	for _, s := range []struct{ server, loose, strict string }{
		{"abc3.xyz.com:9092", "", ""}, {"10.0.0.1:1", "", ""}, {"a:65535", "", ""}, {"a:0", "1 to 65535", "1 to 65535"}, {"a:65536", "1 to 65535", "1 to 65535"},
		{"a:http", "1 to 65535", "1 to 65535"}, {"a:+1", "1 to 65535", "1 to 65535"}, {"", "is empty", "is empty"}, {"a", "has no port", "has no port"}, {":9092", "has no host", "has no host"},
		{"PLAINTEXT://a:9092", "has a scheme", "has a scheme"}, {"a:1,b:2", "has a comma", "has a comma"}, {"a :1", "character", "character"},
		{"a/b:1", "character", "character"}, {"[::1]:9092", "", "AWS allows a name"}, {"[fe80::1%eth0]:9092", "", "AWS allows a name"},
		{"::1:9092", "needs brackets", "needs brackets"}, {"[x:y]:9092", "not an IPv6 address", "not an IPv6 address"}, {"[a]:9092", "not an IPv6 address", "not an IPv6 address"},
		{"my_broker:9092", "", "AWS allows a name"}, {"-a:9092", "", "AWS allows a name"},
		{strings.Repeat("a", 295) + ":9092", "", ""}, {strings.Repeat("a", 296) + ":9092", "300 characters", "300 characters"},
	} {
		add(servers+"[0]", s.server, func(m *Mapping) {
			m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers = []string{s.server}
		}, s.loose, s.strict)
	}

	both("Topics", "none", func(m *Mapping) { m.Topics = nil }, "at least one topic")
	add("Topics", "two", func(m *Mapping) { m.Topics = []string{"aa", "bb"} }, "", "exactly one topic")
	for _, s := range []struct{ topic, loose, strict string }{
		{"AWSKafkaTopic", "", ""}, {"a.b_c-1", "", ""}, {"", "is empty", "is empty"}, {"a b", "letters", "letters"}, {"é", "letters", "letters"}, {"a\xff", "letters", "letters"},
		{"a", "", "two characters"}, {".a", "", "not a dot"}, {".", "not a valid name of a Kafka topic", "not a valid name of a Kafka topic"}, {"..", "not a valid name of a Kafka topic", "not a valid name of a Kafka topic"},
		{strings.Repeat("t", 249), "", ""}, {strings.Repeat("t", 250), "249 characters", "249 characters"},
		{"^orders\\..*", "", "no topics by regular expression"}, {"^orders(", "not a regular expression", "not a regular expression"},
	} {
		add("Topics[0]", s.topic, func(m *Mapping) { m.Topics = []string{s.topic} }, s.loose, s.strict)
	}

	add("SourceAccessConfigurations", "none", func(m *Mapping) { m.SourceAccessConfigurations = nil }, "", "Required 'sourceAccessConfigurations' parameter is missing.")
	for _, n := range []struct {
		n      int
		strict string
	}{{23, ""}, {24, "AWS allows 23"}} {
		add("SourceAccessConfigurations", fmt.Sprint(n.n), func(m *Mapping) {
			m.SourceAccessConfigurations = slices.Repeat([]SourceAccessConfiguration{{Type: "VPC_SUBNET", URI: "subnet:subnet-0123456789abcdef0"}}, n.n)
		}, "", n.strict)
	}
	for _, s := range []struct{ kind, uri, part, loose, strict string }{
		{"", "a", ".Type", "is missing", "is missing"}, {"VIRTUAL_HOST", "a", ".Type", "is for RabbitMQ", "is for RabbitMQ"},
		{"BASIC_AUTH", "", ".URI", "needs the secret's name", "needs the secret's name"}, {"BASIC_AUTH", "p{ss", ".URI", "not be one", "not be one"},
		{"BASIC_AUTH", strings.Repeat("u", 200), ".URI", "", ""}, {"BASIC_AUTH", strings.Repeat("u", 201), ".URI", "", "AWS allows 200"},
		{"IAM_AUTH", "", ".Type", "", ""}, {"IAM_AUTH", "a", ".URI", "takes no URI", "takes no URI"},
		{"OAUTHBEARER_SCOPE", "a b", ".Type", "needs OAUTHBEARER_AUTH", "needs OAUTHBEARER_AUTH"}, {"OAUTHBEARER_AUTH", "a", ".Type", "", ""},
		{"IAM_OAUTHBEARER_AUTH", "", ".Type", "needs OAUTHBEARER_AUDIENCE", "needs OAUTHBEARER_AUDIENCE"},
	} {
		add("SourceAccessConfigurations[0]"+s.part, s.kind+" "+s.uri, func(m *Mapping) {
			m.SourceAccessConfigurations = []SourceAccessConfiguration{{Type: SourceAccessType(s.kind), URI: s.uri}}
		}, s.loose, s.strict)
	}

	const groupID = "SelfManagedKafkaEventSourceConfig.ConsumerGroupId"
	for _, s := range []struct{ id, loose, strict string }{
		{"", "", ""}, {"g", "", ""}, {"a b/c:d", "", ""}, {strings.Repeat("g", 200), "", ""}, {strings.Repeat("g", 201), "", "1 to 200"},
		{"orders#1", "", "AWS allows letters"}, {"a\x00", "control characters", "control characters"}, {strings.Repeat("g", 1001), "1 to 1000", "1 to 200"},
	} {
		add(groupID, s.id, func(m *Mapping) { group(m).ConsumerGroupId = s.id }, s.loose, s.strict)
	}
	add(groupID, "no name at all", func(m *Mapping) { m.FunctionName = "" }, "required without FunctionName and UUID", "required without FunctionName and UUID")
	for mode, reason := range map[string]string{"Stream": "", "Queue": "", "queue": "must be Stream or Queue"} {
		both("SelfManagedKafkaEventSourceConfig.ConsumptionMode", mode, func(m *Mapping) { group(m).ConsumptionMode = mode }, reason)
	}

	past := time.Now().Add(-time.Hour)
	for _, s := range []struct {
		position      StartingPosition
		at            time.Time
		queue         bool
		field, reason string
	}{
		{"", time.Time{}, false, "StartingPosition", ""}, {TrimHorizon, time.Time{}, false, "StartingPosition", ""}, {Latest, time.Time{}, false, "StartingPosition", ""},
		{"latest", time.Time{}, false, "StartingPosition", "TRIM_HORIZON or LATEST or AT_TIMESTAMP"},
		{AtTimestamp, past, false, "StartingPositionTimestamp", ""}, {AtTimestamp, time.Time{}, false, "StartingPositionTimestamp", "is required with AT_TIMESTAMP"},
		{AtTimestamp, time.Now().Add(time.Hour), false, "StartingPositionTimestamp", "not be in the future"},
		{AtTimestamp, time.Unix(0, 0), false, "StartingPositionTimestamp", ""}, {AtTimestamp, time.Unix(0, -1), false, "StartingPositionTimestamp", "before 1970"},
		{Latest, past, false, "StartingPositionTimestamp", "AT_TIMESTAMP only"}, {"", past, false, "StartingPositionTimestamp", "AT_TIMESTAMP only"},
		{Latest, time.Time{}, true, "StartingPosition", "not supported in Queue mode"}, {"", past, true, "StartingPositionTimestamp", "not supported in Queue mode"},
	} {
		both(s.field, fmt.Sprint(s.position, s.at, s.queue), func(m *Mapping) {
			m.StartingPosition, m.StartingPositionTimestamp = s.position, s.at
			if s.queue {
				group(m).ConsumptionMode = "Queue"
			}
		}, s.reason)
	}
	both("MaximumBatchingWindowInSeconds", "Queue", func(m *Mapping) {
		m.MaximumBatchingWindowInSeconds, group(m).ConsumptionMode = new(0), "Queue"
	}, "not supported in Queue mode")

	both("FunctionResponseTypes", "two", func(m *Mapping) {
		m.FunctionResponseTypes = []FunctionResponseType{ReportBatchItemFailures, ReportBatchItemFailures}
	}, "more than one element")
	both("FunctionResponseTypes[0]", "another", func(m *Mapping) { m.FunctionResponseTypes = []FunctionResponseType{"x"} }, "must be ReportBatchItemFailures")
	both("FunctionResponseTypes[0]", "one", func(m *Mapping) { m.FunctionResponseTypes = []FunctionResponseType{ReportBatchItemFailures} }, "")

	both("DestinationConfig.OnSuccess", "given", func(m *Mapping) {
		m.DestinationConfig = &DestinationConfig{OnSuccess: &Destination{"arn:aws:sqs:eu-central-1:012345678901:q"}}
	}, "Unsupported DestinationConfig parameter for given event source mapping type.")
	both("DestinationConfig.OnSuccess", "empty", func(m *Mapping) { m.DestinationConfig = &DestinationConfig{&Destination{}, &Destination{}} }, "")
	for _, s := range []struct{ destination, reason string }{
		{"kafka://failed", ""}, {"kafka://" + strings.Repeat("t", 249), ""}, {"kafka://" + strings.Repeat("t", 250), "1 to 249 characters"}, {"kafka://.t", "1 to 249 characters"},
		{"kafka://orders", "is what Topics[0] reads"}, {"arn:aws:sqs:eu-central-1:012345678901:q", ""}, {"arn:aws:sns:eu-central-1:012345678901:t", ""}, {"arn:aws:s3:::bucket", ""},
		{"arn:aws:lambda:eu-central-1:012345678901:function:f", "an on-failure destination is an SQS queue"}, {"failed", "must be kafka://topic"},
		{"arn:aws:sqs::012345678901:q", "has the region"}, {"arn:aws:sns:eu-central-1:1:t", "12 digits"}, {"arn:aws:s3:eu-central-1:012345678901:b", "arn:aws:s3:::BUCKET"},
		{"arn:aws:s3:::" + strings.Repeat("b", 63), ""}, {"arn:aws:s3:::" + strings.Repeat("b", 64), "3 to 63"}, {"arn:aws:s3:::" + strings.Repeat("b", 338), "1 to 350"},
	} {
		both("DestinationConfig.OnFailure.Destination", s.destination, func(m *Mapping) {
			m.DestinationConfig = &DestinationConfig{OnFailure: &Destination{s.destination}}
		}, s.reason)
	}

	for _, n := range []struct {
		n             int
		loose, strict string
	}{{5, "", ""}, {6, "", "AWS allows 5"}, {10, "", "AWS allows 5"}, {11, "there may be 10", "AWS allows 5"}} {
		add("FilterCriteria.Filters", fmt.Sprint(n.n), func(m *Mapping) {
			m.FilterCriteria = &FilterCriteria{slices.Repeat([]Filter{{`{"value":["a"]}`}}, n.n)}
		}, n.loose, n.strict)
	}
	pad := func(n int) string { return `{"value":["` + strings.Repeat("é", n-14) + `"]}` }
	for _, s := range []struct{ pattern, reason string }{
		{`{"value":{"a":[1]}}`, ""}, {``, invalidPattern}, {`[]`, invalidPattern}, {`null`, invalidPattern}, {`{"value":[1]`, invalidPattern},
		{pad(4096), ""}, {pad(4097), "4097 characters"},
	} {
		both("FilterCriteria.Filters[0].Pattern", fmt.Sprintf("%.30s %d", s.pattern, len(s.pattern)), func(m *Mapping) { m.FilterCriteria = &FilterCriteria{[]Filter{{s.pattern}}} }, s.reason)
	}

	const registry = "SelfManagedKafkaEventSourceConfig.SchemaRegistryConfig"
	for _, s := range []struct {
		part, reason string
		change       func(*SchemaRegistryConfig)
	}{
		{"", "", func(*SchemaRegistryConfig) {}},
		{".SchemaRegistryURI", "is required", func(c *SchemaRegistryConfig) { c.SchemaRegistryURI = "" }},
		{".SchemaRegistryURI", "must be an ARN", func(c *SchemaRegistryConfig) { c.SchemaRegistryURI = "registry" }},
		{".SchemaRegistryURI", "a user or a password", func(c *SchemaRegistryConfig) { c.SchemaRegistryURI = "https://u:p@registry" }},
		{".SchemaRegistryURI", "", func(c *SchemaRegistryConfig) { c.SchemaRegistryURI = "https://" + strings.Repeat("r", 9_992) }},
		{".SchemaRegistryURI", "1 to 10000", func(c *SchemaRegistryConfig) { c.SchemaRegistryURI = "https://" + strings.Repeat("r", 9_993) }},
		{".EventRecordFormat", "JSON or SOURCE", func(c *SchemaRegistryConfig) { c.EventRecordFormat = "AVRO" }},
		{".AccessConfigs", "more than two", func(c *SchemaRegistryConfig) {
			c.AccessConfigs = slices.Repeat([]SourceAccessConfiguration{{Type: "BASIC_AUTH", URI: "a"}}, 3)
		}},
		{".AccessConfigs", "Glue", func(c *SchemaRegistryConfig) {
			c.SchemaRegistryURI, c.AccessConfigs = "arn:aws:glue:r", []SourceAccessConfiguration{{Type: "BASIC_AUTH", URI: "a"}}
		}},
		{".AccessConfigs[0].Type", "BASIC_AUTH or", func(c *SchemaRegistryConfig) {
			c.AccessConfigs = []SourceAccessConfiguration{{Type: "IAM_AUTH", URI: "a"}}
		}},
		{".AccessConfigs[0].URI", "is missing", func(c *SchemaRegistryConfig) {
			c.AccessConfigs = []SourceAccessConfiguration{{Type: "BASIC_AUTH", URI: ""}}
		}},
		{".SchemaValidationConfigs[0].Attribute", "KEY or VALUE", func(c *SchemaRegistryConfig) { c.SchemaValidationConfigs = []SchemaValidationConfig{{"HEADERS"}} }},
		{".SchemaValidationConfigs[1].Attribute", "twice", func(c *SchemaRegistryConfig) { c.SchemaValidationConfigs = []SchemaValidationConfig{{"KEY"}, {"KEY"}} }},
	} {
		both(registry+s.part, s.reason, func(m *Mapping) {
			c := &SchemaRegistryConfig{SchemaRegistryURI: "https://registry:8081", EventRecordFormat: "SOURCE"}
			s.change(c)
			group(m).SchemaRegistryConfig = c
		}, s.reason)
	}

	both("KMSKeyArn", "bad", func(m *Mapping) { m.KMSKeyArn = "key" }, "must be the ARN of a key")
	both("MetricsConfig.Metrics", "four", func(m *Mapping) { m.MetricsConfig = &MetricsConfig{slices.Repeat([]string{"EventCount"}, 4)} }, "more than three")
	both("MetricsConfig.Metrics", "three", func(m *Mapping) { m.MetricsConfig = &MetricsConfig{slices.Repeat([]string{"EventCount"}, 3)} }, "")
	both("MetricsConfig.Metrics[0]", "another", func(m *Mapping) { m.MetricsConfig = &MetricsConfig{[]string{"x"}} }, "EventCount or ErrorCount or KafkaMetrics")
	both("LoggingConfig.SystemLogLevel", "another", func(m *Mapping) { m.LoggingConfig = &LoggingConfig{"ERROR"} }, "DEBUG or INFO or WARN")
	both("LoggingConfig.SystemLogLevel", "good", func(m *Mapping) { m.LoggingConfig = &LoggingConfig{"WARN"} }, "")
	for _, s := range []struct{ key, value, reason string }{
		{"team", "", ""}, {"é a", "+@", ""}, {"", "x", "1 to 128"}, {strings.Repeat("k", 128), strings.Repeat("v", 256), ""},
		{strings.Repeat("k", 129), "", "1 to 128"}, {"k", strings.Repeat("v", 257), "0 to 256"}, {"k#", "", "the key may have"}, {"k", "v#", "the value may have"},
	} {
		both(fmt.Sprintf("Tags[%q]", s.key), s.value, func(m *Mapping) { m.Tags = map[string]string{s.key: s.value} }, s.reason)
	}

	for field, change := range map[string]func(*Mapping){
		"MaximumRetryAttempts":                    func(m *Mapping) { m.MaximumRetryAttempts = new(3) },
		"MaximumRecordAgeInSeconds":               func(m *Mapping) { m.MaximumRecordAgeInSeconds = new(-1) },
		"BisectBatchOnFunctionError":              func(m *Mapping) { m.BisectBatchOnFunctionError = true },
		"FunctionResponseTypes":                   func(m *Mapping) { m.FunctionResponseTypes = []FunctionResponseType{ReportBatchItemFailures} },
		"LoggingConfig":                           func(m *Mapping) { m.LoggingConfig = &LoggingConfig{} },
		"DestinationConfig.OnFailure.Destination": func(m *Mapping) { m.DestinationConfig = &DestinationConfig{OnFailure: &Destination{"kafka://f"}} },
	} {
		add(field, "on demand", func(m *Mapping) { change(m); m.ProvisionedPollerConfig = nil }, "", "provisioned mode only")
	}
	return cases
}
