package mapping

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Validate reports everything that is wrong with the mapping at once: joined *FieldErrors, which wrap ErrInvalid, or
// nil. The limits are those of CreateEventSourceMapping, except that it accepts what Kafka allows and AWS does not:
// several topics, topics by regular expression, IPv6 and other addresses that AWS's pattern excludes, more than ten
// bootstrap servers, any group name, no FunctionName if a group is named, no SourceAccessConfigurations, long secret
// URIs, up to ten filters, and without a ProvisionedPollerConfig what AWS has in provisioned mode only. ValidateStrict
// refuses those too.
//
// It does no I/O. A StartingPositionTimestamp is compared with the time of the call.
func (m Mapping) Validate() error { return m.validate(false) }

// ValidateStrict is Validate with AWS's own limits: CreateEventSourceMapping accepts what it accepts.
func (m Mapping) ValidateStrict() error { return m.validate(true) }

func (m Mapping) validate(strict bool) error {
	c := &checker{strict: strict}
	m.checkFunctionName(c)
	m.checkSource(c)
	m.checkTopics(c)
	checkSourceAccess(c, "SourceAccessConfigurations", m.SourceAccessConfigurations)
	m.checkGroup(c)
	m.checkStartingPosition(c)
	m.checkBatching(c)
	m.checkRetries(c)
	m.checkDestination(c)
	m.checkPollers(c)
	checkFilterCriteria(c, m.FilterCriteria)
	m.checkObservability(c)
	return errors.Join(c.errs...)
}

// A checker collects what is wrong with a mapping.
type checker struct {
	strict bool
	errs   []error
}

func (c *checker) refuse(field string, value any, reason string) {
	c.errs = append(c.errs, &FieldError{Field: field, Value: value, Reason: reason})
}

// between refuses a number outside [least, most].
func (c *checker) between(field string, n, least, most int, unset string) {
	if n < least || n > most {
		c.refuse(field, n, fmt.Sprintf("must be %d to %d; %s", least, most, unset))
	}
}

// length refuses a text of fewer than least or more than most characters. It reports whether the text is valid.
func (c *checker) length(field, s string, least, most int) bool {
	if n := utf8.RuneCountInString(s); n < least || n > most {
		c.refuse(field, s, fmt.Sprintf("has %d characters, must have %d to %d", n, least, most))
		return false
	}
	return c.printable(field, s)
}

// printable refuses text that is not UTF-8 or has control characters; no name on AWS or in Kafka does.
func (c *checker) printable(field, s string) bool {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		c.refuse(field, s, "must be UTF-8 without control characters")
		return false
	}
	return true
}

// oneOf refuses a text that is not among those allowed.
func (c *checker) oneOf(field, s string, allowed ...string) {
	if !slices.Contains(allowed, s) {
		c.refuse(field, s, "must be "+strings.Join(allowed, " or "))
	}
}

// functionName matches a function's name, or its partial or full ARN, with or without a version or an alias.
var functionName = regexp.MustCompile(`^(arn:aws[a-zA-Z-]*:lambda:)?([a-z]{2}[a-z0-9-]*-[0-9]:)?([0-9]{12}:)?(function:)?([a-zA-Z0-9_-]+)(:(\$LATEST|[a-zA-Z0-9_-]+))?$`)

func (m Mapping) checkFunctionName(c *checker) {
	const field = "FunctionName"
	switch {
	case m.FunctionName == "":
		if c.strict {
			c.refuse(field, nil, "is required by AWS: a function's name or ARN")
		}
	case !c.length(field, m.FunctionName, 1, 256):
	case c.strict:
		parts := functionName.FindStringSubmatch(m.FunctionName)
		if parts == nil {
			c.refuse(field, m.FunctionName, "must be a function's name or ARN: letters, digits, - and _ in the name")
		} else if len(parts[5]) > 64 {
			c.refuse(field, m.FunctionName, "the name alone may have 64 characters")
		}
	}
	if m.UUID != "" && !uuidForm.MatchString(m.UUID) {
		c.refuse("UUID", m.UUID, "must be a UUID, such as 14e0db71-5d35-4eb5-b481-8945cf9d10c2, or left out: it is derived from FunctionName then")
	}
}

var uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func (m Mapping) checkStartingPosition(c *checker) {
	at, isSet := m.StartingPositionTimestamp, !m.StartingPositionTimestamp.IsZero()
	const position, timestamp = "StartingPosition", "StartingPositionTimestamp"
	if m.queueMode() {
		const reason = "is not supported in Queue mode, where the share group's own setting decides; leave it out"
		if m.StartingPosition != "" {
			c.refuse(position, string(m.StartingPosition), reason)
		}
		if isSet {
			c.refuse(timestamp, at.UTC().Format(time.RFC3339Nano), reason)
		}
		return
	}
	if m.StartingPosition != "" {
		c.oneOf(position, string(m.StartingPosition), string(TrimHorizon), string(Latest), string(AtTimestamp))
	}
	switch {
	case m.StartingPosition == AtTimestamp && !isSet:
		c.refuse(timestamp, nil, "is required with AT_TIMESTAMP: the time to start at, in seconds since the Unix epoch")
	case !isSet:
	case m.StartingPosition != AtTimestamp:
		c.refuse(timestamp, at.UTC().Format(time.RFC3339Nano), "is for StartingPosition AT_TIMESTAMP only; set that, or leave this out")
	case at.After(time.Now()):
		c.refuse(timestamp, at.UTC().Format(time.RFC3339Nano), "must not be in the future; LATEST starts at new records")
	case at.Before(time.Unix(0, 0)):
		c.refuse(timestamp, at.UTC().Format(time.RFC3339Nano), "must not be before 1970; TRIM_HORIZON starts at the oldest record")
	}
}

func (m Mapping) checkBatching(c *checker) {
	if m.BatchSize != 0 {
		c.between("BatchSize", m.BatchSize, 1, 10_000, "leave it out for 100")
	}
	if n := m.MaximumBatchingWindowInSeconds; n != nil {
		const field = "MaximumBatchingWindowInSeconds"
		if m.queueMode() {
			c.refuse(field, *n, "is not supported in Queue mode; leave it out")
		}
		c.between(field, *n, 0, 300, "leave it out for 500 ms")
	}
}

func (m Mapping) checkRetries(c *checker) {
	if n := m.MaximumRetryAttempts; n != nil {
		c.between("MaximumRetryAttempts", *n, -1, 10_000, "-1 is without limit")
	}
	if n := m.MaximumRecordAgeInSeconds; n != nil && *n != -1 {
		c.between("MaximumRecordAgeInSeconds", *n, 60, 604_800, "-1 is without limit")
	}
	if len(m.FunctionResponseTypes) > 1 {
		c.refuse("FunctionResponseTypes", len(m.FunctionResponseTypes), "has more than one element; the only one there is ReportBatchItemFailures")
	}
	for i, t := range m.FunctionResponseTypes {
		c.oneOf(fmt.Sprintf("FunctionResponseTypes[%d]", i), string(t), string(ReportBatchItemFailures))
	}
	if m.MaximumRetryAttempts != nil {
		m.provisionedOnly(c, "MaximumRetryAttempts")
	}
	if m.MaximumRecordAgeInSeconds != nil {
		m.provisionedOnly(c, "MaximumRecordAgeInSeconds")
	}
	if m.BisectBatchOnFunctionError {
		m.provisionedOnly(c, "BisectBatchOnFunctionError")
	}
	if len(m.FunctionResponseTypes) > 0 {
		m.provisionedOnly(c, "FunctionResponseTypes")
	}
}

// provisionedOnly refuses, in strict mode, what Lambda's developer guide allows in provisioned mode only.
func (m Mapping) provisionedOnly(c *checker, field string) {
	if c.strict && m.ProvisionedPollerConfig == nil {
		c.refuse(field, nil, "AWS has it in provisioned mode only: set ProvisionedPollerConfig")
	}
}

var pollerGroupName = regexp.MustCompile(`^[a-zA-Z0-9_-]*$`)

func (m Mapping) checkPollers(c *checker) {
	p := m.WithDefaults().ProvisionedPollerConfig
	if p == nil {
		return
	}
	const path = "ProvisionedPollerConfig."
	c.between(path+"MinimumPollers", *p.MinimumPollers, 1, 200, "leave it out for 1")
	c.between(path+"MaximumPollers", *p.MaximumPollers, 1, 2000, "leave it out for 200")
	if *p.MinimumPollers > *p.MaximumPollers {
		c.refuse(path+"MinimumPollers", *p.MinimumPollers, fmt.Sprintf("is more than MaximumPollers (%d)", *p.MaximumPollers))
	}
	if c.length(path+"PollerGroupName", p.PollerGroupName, 0, 128) && !pollerGroupName.MatchString(p.PollerGroupName) {
		c.refuse(path+"PollerGroupName", p.PollerGroupName, "must be letters, digits, - and _")
	}
}
