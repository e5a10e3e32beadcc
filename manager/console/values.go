package console

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/mapping"
)

// methods are the authentication methods that have their own input; other entries are in the field for others.
var methods = []auth.SourceAccessType{auth.SASLSCRAM512Auth, auth.SASLSCRAM256Auth, auth.BasicAuth, auth.ClientCertificateTLSAuth}

// valuesOf returns a mapping as values of the form's inputs.
func valuesOf(m esm.Mapping) url.Values {
	v := make(url.Values)
	set := func(name, text string) {
		if text != "" {
			v.Set(name, text)
		}
	}
	check := func(name string, is bool) {
		if is {
			v.Set(name, "on")
		}
	}
	whole := func(name string, n *int) {
		if n != nil {
			v.Set(name, strconv.Itoa(*n))
		}
	}
	set("function", m.FunctionName)
	set("servers", strings.Join(m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers, "\n"))
	set("topics", strings.Join(m.Topics, "\n"))
	set("position", string(m.StartingPosition))
	if !m.StartingPositionTimestamp.IsZero() {
		set("timestamp", m.StartingPositionTimestamp.UTC().Format(time.RFC3339Nano))
	}
	check("enabled", m.Enabled == nil || *m.Enabled)
	var others []string
	for _, c := range m.SourceAccessConfigurations {
		switch {
		case slices.Contains(methods, c.Type) && v.Get("auth") == "":
			v.Set("auth", string(c.Type))
			set("secret", c.URI)
		case c.Type == auth.ServerRootCACertificate && v.Get("ca") == "":
			set("ca", c.URI)
		default:
			others = append(others, string(c.Type)+"="+c.URI)
		}
	}
	set("access", strings.Join(others, "\n"))
	if m.BatchSize != 0 {
		v.Set("batch", strconv.Itoa(m.BatchSize))
	}
	whole("window", m.MaximumBatchingWindowInSeconds)
	whole("retries", m.MaximumRetryAttempts)
	whole("age", m.MaximumRecordAgeInSeconds)
	check("bisect", m.BisectBatchOnFunctionError)
	check("items", len(m.FunctionResponseTypes) > 0)
	if m.FilterCriteria != nil {
		for _, f := range m.FilterCriteria.Filters {
			v.Add("filters", f.Pattern)
		}
	}
	if d := m.DestinationConfig; d != nil && d.OnFailure != nil {
		set("destination", d.OnFailure.Destination)
	}
	if p := m.ProvisionedPollerConfig; p != nil {
		whole("minimum", p.MinimumPollers)
		whole("maximum", p.MaximumPollers)
		set("pollergroup", p.PollerGroupName)
	}
	if k := m.SelfManagedKafkaEventSourceConfig; k != nil {
		set("group", k.ConsumerGroupId)
		set("mode", k.ConsumptionMode)
		if s := k.SchemaRegistryConfig; s != nil {
			set("registry", s.SchemaRegistryURI)
			set("format", s.EventRecordFormat)
			var access []string
			for _, c := range s.AccessConfigs {
				access = append(access, string(c.Type)+"="+c.URI)
			}
			set("registryaccess", strings.Join(access, "\n"))
			for _, c := range s.SchemaValidationConfigs {
				check("validate"+strings.ToLower(c.Attribute), true)
			}
		}
	}
	if m.MetricsConfig != nil {
		set("metrics", strings.Join(m.MetricsConfig.Metrics, "\n"))
	}
	if m.LoggingConfig != nil {
		set("loglevel", m.LoggingConfig.SystemLogLevel)
	}
	set("kms", m.KMSKeyArn)
	var tags []string
	for _, key := range slices.Sorted(maps.Keys(m.Tags)) {
		tags = append(tags, key+"="+m.Tags[key])
	}
	set("tags", strings.Join(tags, "\n"))
	return v
}

// reader reads the form's inputs, and collects the invalid ones.
type reader struct {
	v     url.Values
	wrong complaints
}

func (r *reader) text(name string) string { return strings.TrimSpace(r.v.Get(name)) }

func (r *reader) lines(name string) []string {
	var out []string
	for line := range strings.Lines(r.v.Get(name)) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

func (r *reader) is(name string) bool { return r.v.Get(name) != "" }

func (r *reader) refusef(name, format string, args ...any) {
	r.wrong[name] = append(r.wrong[name], fmt.Sprintf(format, args...))
}

// whole returns a number, nil if the input is empty.
func (r *reader) whole(name string) *int {
	text := strings.ReplaceAll(r.text(name), "−", "-")
	if text == "" {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		r.refusef(name, "%q is not a whole number", text)
		return nil
	}
	return &n
}

// pairs reads lines of TYPE=URI.
func (r *reader) pairs(name string) (out []esm.SourceAccessConfiguration) {
	for i, line := range r.lines(name) {
		kind, uri, ok := strings.Cut(line, "=")
		if !ok {
			r.refusef(name, "line %d: want TYPE=URI", i+1) // without the line's text: it may be a secret
			continue
		}
		out = append(out, esm.SourceAccessConfiguration{Type: mapping.SourceAccessType(strings.TrimSpace(kind)), URI: strings.TrimSpace(uri)})
	}
	return out
}

// fill sets the parameters that can be updated from the form. Parameters without an input stay.
func (r *reader) fill(m *esm.Mapping) {
	m.FunctionName = r.text("function")
	enabled := r.is("enabled")
	m.Enabled = &enabled
	m.SourceAccessConfigurations = r.access()
	m.BatchSize = 0
	if n := r.whole("batch"); n != nil {
		if m.BatchSize = *n; *n == 0 {
			r.refusef("batch", "0 is too few: 1 to 10,000")
		}
	}
	m.MaximumBatchingWindowInSeconds, m.MaximumRetryAttempts, m.MaximumRecordAgeInSeconds = r.whole("window"), r.whole("retries"), r.whole("age")
	m.BisectBatchOnFunctionError, m.FunctionResponseTypes = r.is("bisect"), nil
	if r.is("items") {
		m.FunctionResponseTypes = []esm.FunctionResponseType{esm.ReportBatchItemFailures}
	}
	m.FilterCriteria = nil
	for _, pattern := range r.v["filters"] {
		if pattern = strings.TrimSpace(pattern); pattern != "" {
			if m.FilterCriteria == nil {
				m.FilterCriteria = new(esm.FilterCriteria)
			}
			m.FilterCriteria.Filters = append(m.FilterCriteria.Filters, esm.Filter{Pattern: pattern})
		}
	}
	m.DestinationConfig = nil
	if to := r.text("destination"); to != "" {
		m.DestinationConfig = &esm.DestinationConfig{OnFailure: &esm.Destination{Destination: to}}
	}
	m.ProvisionedPollerConfig = nil
	if p := (esm.ProvisionedPollerConfig{MinimumPollers: r.whole("minimum"), MaximumPollers: r.whole("maximum"), PollerGroupName: r.text("pollergroup")}); p != (esm.ProvisionedPollerConfig{}) {
		m.ProvisionedPollerConfig = &p
	}
	m.KMSKeyArn, m.MetricsConfig, m.LoggingConfig = r.text("kms"), nil, nil
	if metrics := r.lines("metrics"); len(metrics) > 0 {
		m.MetricsConfig = &mapping.MetricsConfig{Metrics: metrics}
	}
	if level := r.text("loglevel"); level != "" {
		m.LoggingConfig = &mapping.LoggingConfig{SystemLogLevel: level}
	}
	m.Tags = nil
	for i, line := range r.lines("tags") {
		key, value, ok := strings.Cut(line, "=")
		if key = strings.TrimSpace(key); !ok || key == "" {
			r.refusef("tags", "line %d: want key=value", i+1)
			continue
		}
		if m.Tags == nil {
			m.Tags = make(map[string]string)
		}
		m.Tags[key] = strings.TrimSpace(value)
	}
	r.registry(m)
}

// access returns SourceAccessConfigurations.
func (r *reader) access() (out []esm.SourceAccessConfiguration) {
	if method := r.text("auth"); method != "" {
		out = append(out, esm.SourceAccessConfiguration{Type: mapping.SourceAccessType(method), URI: r.text("secret")})
	} else if r.text("secret") != "" {
		r.refusef("secret", "a secret needs an authentication method")
	}
	if ca := r.text("ca"); ca != "" {
		out = append(out, esm.SourceAccessConfiguration{Type: auth.ServerRootCACertificate, URI: ca})
	}
	return append(out, r.pairs("access")...)
}

func (r *reader) registry(m *esm.Mapping) {
	s := mapping.SchemaRegistryConfig{SchemaRegistryURI: r.text("registry"), EventRecordFormat: r.text("format"), AccessConfigs: r.pairs("registryaccess")}
	for _, attribute := range []string{"KEY", "VALUE"} {
		if r.is("validate" + strings.ToLower(attribute)) {
			s.SchemaValidationConfigs = append(s.SchemaValidationConfigs, mapping.SchemaValidationConfig{Attribute: attribute})
		}
	}
	var k esm.SelfManagedKafkaEventSourceConfig
	if m.SelfManagedKafkaEventSourceConfig != nil {
		k = *m.SelfManagedKafkaEventSourceConfig
	}
	k.SchemaRegistryConfig = nil
	if s.SchemaRegistryURI != "" || s.EventRecordFormat != "" || len(s.AccessConfigs)+len(s.SchemaValidationConfigs) > 0 {
		k.SchemaRegistryConfig = &s
	}
	m.SelfManagedKafkaEventSourceConfig = nil
	if k.ConsumerGroupId != "" || k.ConsumptionMode != "" || k.SchemaRegistryConfig != nil {
		m.SelfManagedKafkaEventSourceConfig = &k
	}
}

// fillNew sets the parameters that cannot be updated.
func (r *reader) fillNew(m *esm.Mapping) {
	m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers = r.lines("servers")
	m.Topics = r.lines("topics")
	m.StartingPosition = esm.StartingPosition(r.text("position"))
	if text := r.text("timestamp"); text != "" {
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			r.refusef("timestamp", "%q is not a time such as 2026-11-28T15:04:05Z", text)
		}
		m.StartingPositionTimestamp = t
	}
	if group, mode := r.text("group"), r.text("mode"); group != "" || mode != "" {
		m.SelfManagedKafkaEventSourceConfig = &esm.SelfManagedKafkaEventSourceConfig{ConsumerGroupId: group, ConsumptionMode: mode}
	}
}
