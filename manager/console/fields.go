package console

import (
	"errors"
	"strings"

	"github.com/esm-go/esm"
)

// fieldInfo is a field of the form: one parameter, or several that belong together.
type fieldInfo struct {
	// Name is the input's name, Label its label, AWS the parameter's path and the prefix of what errors name.
	Name, Label, AWS string
	// Help describes the field, its range and its default.
	Help string
	// Kind is text, number, area, select, check or datetime.
	Kind string
	// Options are the values of a select. The first is the default.
	Options []string
	// Fixed fields cannot be updated, as on AWS.
	Fixed bool
}

// section is a part of the form.
type section struct {
	Title, About string
	Open         bool
	Fields       []fieldInfo
}

// form lists all fields, in the order of the page.
var form = []section{
	{Title: "Trigger", Open: true, Fields: []fieldInfo{
		{Name: "function", Label: "Function", AWS: "FunctionName", Kind: "function", Help: "The name or the ARN of the function that is invoked."},
		{Name: "servers", Label: "Bootstrap servers", AWS: "SelfManagedEventSource", Kind: "area", Fixed: true, Help: "host:port of a few brokers, one a line; the others are found through them."},
		{Name: "topics", Label: "Topic name", AWS: "Topics", Kind: "area", Fixed: true, Help: "One topic; more, one a line, and regular expressions that begin with ^ work here and not on AWS Lambda."},
		{Name: "group", Label: "Consumer group ID", AWS: "SelfManagedKafkaEventSourceConfig.ConsumerGroupId", Kind: "text", Fixed: true, Help: "1 to 200 characters. A group that has commits continues from them. Default: the mapping's UUID, so a new group."},
		{Name: "position", Label: "Starting position", AWS: "StartingPosition", Kind: "select", Options: []string{"TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"}, Fixed: true, Help: "Where a group without commits begins: at the oldest record, at what comes from now on, or at a time."},
		{Name: "timestamp", Label: "Starting position timestamp", AWS: "StartingPositionTimestamp", Kind: "text", Fixed: true, Help: "With AT_TIMESTAMP only, not in the future: 2026-11-28T15:04:05Z."},
		{Name: "enabled", Label: "Enable trigger", AWS: "Enabled", Kind: "check", Help: "Records are polled as soon as the mapping is saved."},
	}},
	{Title: "Authentication", Open: true, About: "Secrets are named here, never written: their URI says where they are, such as file:kafka-login, env:KAFKA_LOGIN or the ARN of a secret in AWS Secrets Manager.", Fields: []fieldInfo{
		{Name: "auth", Label: "Authentication method", AWS: "SourceAccessConfigurations", Kind: "select", Options: []string{"", "SASL_SCRAM_512_AUTH", "SASL_SCRAM_256_AUTH", "BASIC_AUTH", "CLIENT_CERTIFICATE_TLS_AUTH"}, Help: "How the brokers know who connects. All of them go over TLS. None: see the last field for others."},
		{Name: "secret", Label: "Secret", AWS: "SourceAccessConfigurations", Kind: "text", Help: "The URI of the secret: a JSON object with username and password, or with certificate, privateKey and privateKeyPassword."},
		{Name: "ca", Label: "Server root CA certificate", AWS: "SourceAccessConfigurations", Kind: "text", Help: "The URI of a secret with certificate: the private CA of the brokers. Without it the system's CAs count."},
		{Name: "access", Label: "VPC and other entries", AWS: "SourceAccessConfigurations", Kind: "area", Help: "Further SourceAccessConfigurations, one TYPE=URI a line, such as VPC_SUBNET=subnet:subnet-0123 and VPC_SECURITY_GROUP=security_group:sg-0123. Those of a VPC do nothing here: this process is in its network already."},
	}},
	{Title: "Batching and filtering", Open: true, Fields: []fieldInfo{
		{Name: "batch", Label: "Batch size", AWS: "BatchSize", Kind: "number", Help: "The most records of an invocation, 1 to 10,000. Default 100."},
		{Name: "window", Label: "Batch window", AWS: "MaximumBatchingWindowInSeconds", Kind: "number", Help: "How long a batch may wait to fill, 0 to 300 seconds. Default 500 ms."},
		{Name: "filters", Label: "Filter criteria", AWS: "FilterCriteria", Kind: "filters", Help: "Patterns in EventBridge's syntax over value; a record that matches one of them is delivered. Up to 10 (AWS: 5)."},
	}},
	{Title: "Errors and retries", Fields: []fieldInfo{
		{Name: "retries", Label: "Retry attempts", AWS: "MaximumRetryAttempts", Kind: "number", Help: "How often a failed batch is tried again, 0 to 10,000; −1 (default): until it succeeds."},
		{Name: "age", Label: "Maximum age of record", AWS: "MaximumRecordAgeInSeconds", Kind: "number", Help: "Older records are dropped, 60 to 604,800 seconds; −1 (default): never."},
		{Name: "bisect", Label: "Split batch on error", AWS: "BisectBatchOnFunctionError", Kind: "check", Help: "A failed batch is tried again as two halves."},
		{Name: "items", Label: "Report batch item failures", AWS: "FunctionResponseTypes", Kind: "check", Help: "The function's answer names the records that failed (batchItemFailures)."},
		{Name: "destination", Label: "On-failure destination", AWS: "DestinationConfig", Kind: "text", Help: "Where records go that are given up: the ARN of an SQS queue, an SNS topic or an S3 bucket, or kafka://topic."},
	}},
	{Title: "Provisioned mode", Fields: []fieldInfo{
		{Name: "minimum", Label: "Minimum event pollers", AWS: "ProvisionedPollerConfig.MinimumPollers", Kind: "number", Help: "1 to 200. Default 1. Without any of the three there is one poller."},
		{Name: "maximum", Label: "Maximum event pollers", AWS: "ProvisionedPollerConfig.MaximumPollers", Kind: "number", Help: "1 to 2,000. Default 200; more than partitions never run."},
		{Name: "pollergroup", Label: "Poller group name", AWS: "ProvisionedPollerConfig.PollerGroupName", Kind: "text", Help: "Groups mappings for billing on AWS."},
	}},
	{Title: "Schema registry", Fields: []fieldInfo{
		{Name: "registry", Label: "Schema registry URI", AWS: "SelfManagedKafkaEventSourceConfig.SchemaRegistryConfig", Kind: "text", Help: "https://… of a schema registry, or the ARN of an AWS Glue registry."},
		{Name: "format", Label: "Event record format", AWS: "SelfManagedKafkaEventSourceConfig.SchemaRegistryConfig.EventRecordFormat", Kind: "select", Options: []string{"", "JSON", "SOURCE"}, Help: "JSON: records are decoded for the function and filters. SOURCE: they stay as they are."},
		{Name: "registryaccess", Label: "Registry authentication", AWS: "SelfManagedKafkaEventSourceConfig.SchemaRegistryConfig.AccessConfigs", Kind: "area", Help: "One TYPE=URI a line, such as BASIC_AUTH=file:registry-login."},
		{Name: "validatekey", Label: "Validate keys", AWS: "SelfManagedKafkaEventSourceConfig.SchemaRegistryConfig.SchemaValidationConfigs", Kind: "check", Help: "Keys must match their schema."},
		{Name: "validatevalue", Label: "Validate values", AWS: "SelfManagedKafkaEventSourceConfig.SchemaRegistryConfig.SchemaValidationConfigs", Kind: "check", Help: "Values must match their schema."},
		{Name: "mode", Label: "Consumption mode", AWS: "SelfManagedKafkaEventSourceConfig.ConsumptionMode", Kind: "select", Options: []string{"", "Stream", "Queue"}, Fixed: true, Help: "Stream (default): by consumer group."},
	}},
	{Title: "Monitoring and tags", Fields: []fieldInfo{
		{Name: "metrics", Label: "Metrics", AWS: "MetricsConfig", Kind: "area", Help: "EventCount, ErrorCount, KafkaMetrics, one a line. Here every metric is always counted."},
		{Name: "loglevel", Label: "System log level", AWS: "LoggingConfig", Kind: "select", Options: []string{"", "WARN", "INFO", "DEBUG"}, Help: "What the poller log contains. It is shown on the mapping's page. WARN: errors; INFO: also each poller and its partitions; DEBUG: also the offsets of each partition, each minute. Default: nothing."},
		{Name: "kms", Label: "KMS key", AWS: "KMSKeyArn", Kind: "text", Help: "The ARN of the key that encrypts filters on AWS. It has no effect here."},
		{Name: "tags", Label: "Tags", AWS: "Tags", Kind: "area", Help: "One key=value a line, at most 50."},
	}},
}

// complaints are the problems by input; "" holds those of no particular input.
type complaints map[string][]string

// complaintsOf assigns the errors of Validate, Create or Update to inputs.
func complaintsOf(err error) complaints {
	out := make(complaints)
	for _, e := range joined(err) {
		field, ok := errors.AsType[*esm.FieldError](e)
		if !ok {
			out[""] = append(out[""], strings.TrimPrefix(e.Error(), "esm: "))
			continue
		}
		name := inputOf(field.Field)
		text := strings.TrimPrefix(field.Error(), "esm: ")
		out[name] = append(out[name], text)
	}
	return out
}

// inputOf returns the input with the longest path that is a prefix of a parameter's path.
func inputOf(path string) (name string) {
	longest := 0
	for _, s := range form {
		for _, f := range s.Fields {
			rest, ok := strings.CutPrefix(path, f.AWS)
			if ok && (rest == "" || rest[0] == '.' || rest[0] == '[') && len(f.AWS) > longest {
				name, longest = f.Name, len(f.AWS)
			}
		}
	}
	return name
}

// joined returns the errors of an errors.Join.
func joined(err error) []error {
	if err == nil {
		return nil
	}
	many, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, e := range many.Unwrap() {
		out = append(out, joined(e)...)
	}
	return out
}
