package esm

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/filter"
)

// mappingNamespace is the namespace of the UUIDs that are derived by name: the v5 UUID of the URL https://github.com/esm-go/esm,
// once and for all. A change of it would give every mapping another consumer group.
const mappingNamespace = "592842b5-d0f6-55ec-97fe-755b104391fe"

// Patterns of the API model.
const (
	endpointPattern = `^(([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])\.)*([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]):[0-9]{1,5}$`
	// ours allows underscores, which some service names have, and IPv6 literals in brackets.
	ourEndpointPattern = `^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):[0-9]{1,5}$`
	topicPattern       = `^[^.]([a-zA-Z0-9\-_.]+)$`
	ourTopicPattern    = `^[a-zA-Z0-9\-_.]+$`
	groupPattern       = `^[ a-zA-Z0-9\-/*:_+=.@]+$`
	destinationPattern = `^$|^kafka://[^.][a-zA-Z0-9\-_.]{0,248}$|^arn:.*$`
	functionPattern    = `^[a-zA-Z0-9\-_:$.]+$`
	pollerGroupPattern = `^[a-zA-Z0-9\-_]*$`
)

// WithDefaults returns the mapping with what is unset filled in: BatchSize 100, StartingPosition TRIM_HORIZON, the UUID.
// It is idempotent. MaximumBatchingWindowInSeconds stays unset: 500 ms cannot be written in seconds.
func (m Mapping) WithDefaults() Mapping {
	if m.BatchSize == 0 {
		m.BatchSize = 100
	}
	if m.StartingPosition == "" {
		m.StartingPosition = TrimHorizon
	}
	if m.UUID == "" && m.FunctionName != "" {
		topics := slices.Clone(m.Topics)
		slices.Sort(topics)
		name := m.FunctionName + "\x00" + strings.Join(topics, "\x00")
		m.UUID = uuid.NewSHA1(uuid.MustParse(mappingNamespace), []byte(name)).String()
	}
	return m
}

// GroupID returns the consumer group: ConsumerGroupId, or the UUID where that is unset.
func (m Mapping) GroupID() string {
	if c := m.SelfManagedKafkaEventSourceConfig; c != nil && c.ConsumerGroupId != "" {
		return c.ConsumerGroupId
	}
	return m.WithDefaults().UUID
}

// Validate reports everything that is wrong with the mapping at once: errors.Join of *FieldError, each an
// ErrInvalidMapping; nil when it is valid. Unset fields count with their defaults. It does no I/O.
func (m Mapping) Validate() error { return m.validate(false) }

// ValidateStrict is Validate with AWS's own limits where this library allows more: exactly one topic, by name;
// FunctionName and SourceAccessConfigurations given; endpoints without underscores and IPv6 literals; and the operators
// of Lambda's filter table alone.
func (m Mapping) ValidateStrict() error { return m.validate(true) }

// problems collects FieldErrors.
type problems struct {
	errs   []error
	strict bool
}

func (p *problems) add(field string, value any, reason string, args ...any) {
	if len(args) > 0 {
		reason = fmt.Sprintf(reason, args...)
	}
	p.errs = append(p.errs, &FieldError{Field: field, Value: value, Reason: reason})
}

func (p *problems) limit(field string, v, low, high int) {
	if v < low || v > high {
		p.add(field, v, "must be between %d and %d", low, high)
	}
}

func (p *problems) text(field, v string, most int, pattern, allowed string) {
	if n := utf8.RuneCountInString(v); n < 1 || n > most {
		p.add(field, v, "must have 1 to %d characters", most)
	} else if !regexp.MustCompile(pattern).MatchString(v) {
		p.add(field, v, "%s", allowed)
	}
}

func (m Mapping) validate(strict bool) error {
	p := &problems{strict: strict}
	m.validateIdentity(p)
	m.validateSource(p)
	m.validateStart(p)
	m.validateBatches(p)
	m.validateFailures(p)
	m.validateExtras(p)
	return errors.Join(p.errs...)
}

func (m Mapping) validateIdentity(p *problems) {
	if m.FunctionName != "" {
		p.text("FunctionName", m.FunctionName, 256, functionPattern, "may hold letters, digits and - _ : $ .")
	} else if p.strict {
		p.add("FunctionName", nil, "is required")
	}
	if m.UUID != "" {
		if _, err := uuid.Parse(m.UUID); err != nil || len(m.UUID) != 36 {
			p.add("UUID", m.UUID, "must be a UUID of 36 characters, or unset")
		}
	}
	group := ""
	if c := m.SelfManagedKafkaEventSourceConfig; c != nil {
		if group = c.ConsumerGroupId; group != "" {
			p.text("SelfManagedKafkaEventSourceConfig.ConsumerGroupId", group, 200, groupPattern, "may hold letters, digits, spaces and - / * : _ + = . @")
		}
		if mode := c.ConsumptionMode; mode != "" && mode != "Stream" && mode != "Queue" {
			p.add("SelfManagedKafkaEventSourceConfig.ConsumptionMode", mode, "must be Stream or Queue")
		}
	}
	if m.FunctionName == "" && m.UUID == "" && group == "" {
		p.add("SelfManagedKafkaEventSourceConfig.ConsumerGroupId", nil,
			"is required when neither FunctionName nor UUID is given: the group has to be the same after a restart")
	}
}

func (m Mapping) validateSource(p *problems) {
	servers := m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers
	const field = "SelfManagedEventSource.Endpoints.KAFKA_BOOTSTRAP_SERVERS"
	if len(servers) == 0 {
		p.add(field, nil, "Unrecognized event source. Give 1 to 10 host:port")
	} else if len(servers) > 10 {
		p.add(field, len(servers), "has too many elements: 1 to 10 are allowed")
	}
	pattern := ourEndpointPattern
	if p.strict {
		pattern = endpointPattern
	}
	for i, s := range servers {
		p.text(fmt.Sprintf("%s[%d]", field, i), s, 300, pattern, "must be host:port")
	}
	switch {
	case len(m.Topics) == 0:
		p.add("Topics", nil, "is required: name the topic to read")
	case p.strict && len(m.Topics) != 1:
		p.add("Topics", len(m.Topics), "must have exactly one element")
	}
	for i, t := range m.Topics {
		field := fmt.Sprintf("Topics[%d]", i)
		if slices.Index(m.Topics, t) < i {
			p.add(field, t, "is there twice")
		}
		if strings.HasPrefix(t, "^") && !p.strict {
			if _, err := regexp.Compile(t); err != nil {
				p.errs = append(p.errs, &FieldError{Field: field, Value: t, Reason: "is not a regular expression: " + err.Error(), Err: err})
			}
			continue
		}
		pattern := ourTopicPattern
		if p.strict {
			pattern = topicPattern
		}
		p.text(field, t, 249, pattern, "may hold letters, digits and - _ .; a regular expression begins with ^")
	}
	m.validateAccess(p)
}

func (m Mapping) validateAccess(p *problems) {
	const field = "SourceAccessConfigurations"
	if p.strict && len(m.SourceAccessConfigurations) == 0 {
		p.add(field, nil, "Required 'sourceAccessConfigurations' parameter is missing.")
	}
	for _, problem := range auth.ValidateSourceAccess(m.SourceAccessConfigurations) {
		if problem.AWSLimit && !p.strict {
			continue
		}
		p.errs = append(p.errs, &FieldError{Field: field, Reason: problem.Error(), Err: problem})
	}
}

func (m Mapping) validateStart(p *problems) {
	switch m.StartingPosition {
	case "", TrimHorizon, Latest:
		if !m.StartingPositionTimestamp.IsZero() {
			p.add("StartingPositionTimestamp", m.StartingPositionTimestamp, "is only allowed with StartingPosition AT_TIMESTAMP")
		}
	case AtTimestamp:
		switch t := m.StartingPositionTimestamp; {
		case t.IsZero():
			p.add("StartingPositionTimestamp", nil, "is required with StartingPosition AT_TIMESTAMP")
		case t.Before(time.Unix(0, 0)):
			p.add("StartingPositionTimestamp", t, "must not be before 1970")
		case t.After(time.Now()):
			p.add("StartingPositionTimestamp", t, "must not be in the future")
		}
	default:
		p.add("StartingPosition", string(m.StartingPosition), "must be TRIM_HORIZON, LATEST or AT_TIMESTAMP")
	}
}

func (m Mapping) validateBatches(p *problems) {
	if m.BatchSize != 0 {
		p.limit("BatchSize", m.BatchSize, 1, 10000)
	}
	if w := m.MaximumBatchingWindowInSeconds; w != nil {
		p.limit("MaximumBatchingWindowInSeconds", *w, 0, 300)
	}
	if c := m.FilterCriteria; c != nil {
		if len(c.Filters) > 10 || p.strict && len(c.Filters) > filter.DefaultMaxFilters {
			p.add("FilterCriteria.Filters", len(c.Filters), "has too many elements: 5 are allowed (10 by quota)")
		}
		for i, f := range c.Filters {
			var opts []filter.Option
			if p.strict {
				opts = append(opts, filter.Strict())
			}
			if _, err := filter.Compile([]string{f.Pattern}, opts...); err != nil {
				p.errs = append(p.errs, &FieldError{Field: fmt.Sprintf("FilterCriteria.Filters[%d].Pattern", i), Value: f.Pattern,
					Reason: why(err), Err: err})
			}
		}
	}
}

// why gives an error with what lies beneath it, once.
func why(err error) string {
	s := err.Error()
	if inner := errors.Unwrap(err); inner != nil && !strings.Contains(s, inner.Error()) {
		s += ": " + inner.Error()
	}
	return s
}

func (m Mapping) validateFailures(p *problems) {
	if n := m.MaximumRetryAttempts; n != nil {
		p.limit("MaximumRetryAttempts", *n, -1, 10000)
	}
	if a := m.MaximumRecordAgeInSeconds; a != nil && *a != -1 && (*a < 60 || *a > 604800) {
		p.add("MaximumRecordAgeInSeconds", *a, "must be -1 (no limit) or between 60 and 604800")
	}
	if len(m.FunctionResponseTypes) > 1 {
		p.add("FunctionResponseTypes", len(m.FunctionResponseTypes), "has too many elements: one is allowed")
	}
	for i, t := range m.FunctionResponseTypes {
		if t != ReportBatchItemFailures {
			p.add(fmt.Sprintf("FunctionResponseTypes[%d]", i), string(t), "must be ReportBatchItemFailures")
		}
	}
	if d := m.DestinationConfig; d != nil {
		if d.OnSuccess != nil {
			p.add("DestinationConfig.OnSuccess", nil, "Unsupported DestinationConfig parameter for given event source mapping type.")
		}
		if f := d.OnFailure; f != nil && f.Destination != "" {
			p.text("DestinationConfig.OnFailure.Destination", f.Destination, 350, destinationPattern, "must be an ARN or kafka://topic")
			if topic, ok := strings.CutPrefix(f.Destination, "kafka://"); ok && slices.Contains(m.Topics, topic) {
				p.add("DestinationConfig.OnFailure.Destination", f.Destination, "must differ from the source topic")
			}
		}
	}
}

func (m Mapping) validateExtras(p *problems) {
	if c := m.ProvisionedPollerConfig; c != nil {
		low, high := 1, 200
		if c.MinimumPollers != nil {
			low = *c.MinimumPollers
			p.limit("ProvisionedPollerConfig.MinimumPollers", low, 1, 200)
		}
		if c.MaximumPollers != nil {
			high = *c.MaximumPollers
			p.limit("ProvisionedPollerConfig.MaximumPollers", high, 1, 2000)
		}
		if low > high {
			p.add("ProvisionedPollerConfig.MinimumPollers", low, "must not be more than MaximumPollers (%d)", high)
		}
		if len(c.PollerGroupName) > 128 || !regexp.MustCompile(pollerGroupPattern).MatchString(c.PollerGroupName) {
			p.add("ProvisionedPollerConfig.PollerGroupName", c.PollerGroupName, "may have up to 128 letters, digits, - and _")
		}
	}
	if m.KMSKeyArn != "" && !strings.HasPrefix(m.KMSKeyArn, "arn:") {
		p.add("KMSKeyArn", m.KMSKeyArn, "must be an ARN")
	}
	if c := m.MetricsConfig; c != nil {
		for i, name := range c.Metrics {
			if name != "EventCount" && name != "ErrorCount" && name != "KafkaMetrics" {
				p.add(fmt.Sprintf("MetricsConfig.Metrics[%d]", i), name, "must be EventCount, ErrorCount or KafkaMetrics")
			}
		}
	}
	if c := m.LoggingConfig; c != nil && c.SystemLogLevel != "" && !slices.Contains([]string{"DEBUG", "INFO", "WARN"}, c.SystemLogLevel) {
		p.add("LoggingConfig.SystemLogLevel", c.SystemLogLevel, "must be DEBUG, INFO or WARN")
	}
	for k, v := range m.Tags {
		if n := utf8.RuneCountInString(k); n < 1 || n > 128 || utf8.RuneCountInString(v) > 256 {
			p.add("Tags", k, "keys have 1 to 128 characters, values up to 256")
		}
	}
}
