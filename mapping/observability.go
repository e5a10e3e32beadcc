package mapping

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
)

var (
	kmsKeyArn = regexp.MustCompile(`^arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*$`)
	tagText   = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
)

// checkObservability also checks what has an effect on AWS only, so that a valid mapping is valid there too.
func (m Mapping) checkObservability(c *checker) {
	if m.KMSKeyArn != "" && !kmsKeyArn.MatchString(m.KMSKeyArn) {
		c.refuse("KMSKeyArn", m.KMSKeyArn, "must be the ARN of a key, such as arn:aws:kms:eu-central-1:123456789012:key/…")
	}
	if config := m.MetricsConfig; config != nil {
		const field = "MetricsConfig.Metrics"
		if len(config.Metrics) > 3 {
			c.refuse(field, len(config.Metrics), "has more than three elements: EventCount, ErrorCount and KafkaMetrics")
		}
		for i, metric := range config.Metrics {
			c.oneOf(fmt.Sprintf("%s[%d]", field, i), metric, "EventCount", "ErrorCount", "KafkaMetrics")
		}
	}
	if config := m.LoggingConfig; config != nil {
		if config.SystemLogLevel != "" {
			c.oneOf("LoggingConfig.SystemLogLevel", config.SystemLogLevel, "DEBUG", "INFO", "WARN")
		}
		m.provisionedOnly(c, "LoggingConfig")
	}
	for _, key := range slices.Sorted(maps.Keys(m.Tags)) {
		field := fmt.Sprintf("Tags[%q]", key)
		if c.length(field, key, 1, 128) && !tagText.MatchString(key) {
			c.refuse(field, key, "the key may have letters, digits, spaces and _ . : / = + - @")
		}
		value := m.Tags[key]
		if c.length(field, value, 0, 256) && !tagText.MatchString(value) {
			c.refuse(field, value, "the value may have letters, digits, spaces and _ . : / = + - @")
		}
	}
}
