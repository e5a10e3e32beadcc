package keda

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fields returns the names of all metadata fields, the required ones first. Each name may also be given with
// "FromEnv" appended; KEDA then fills it from the environment of the target's container.
func Fields() []string { return slices.Clone(fieldNames) }

var fieldNames = []string{
	"bootstrapServers", "consumerGroup", "topics",
	"policy", "drainTime", "within", "stepUp", "stepDown", "downAfter",
	"workersPerReplica", "membersPerReplica", "batchSize", "minReplicas", "maxReplicas",
	"startingPosition", "startingPositionTimestamp", "isolationLevel", "interval", "maxAge",
	"sourceAccessType", "sourceAccessURI", "serverRootCACertificate",
}

// kedaFields are KEDA's own fields, which it passes on with the others.
var kedaFields = []string{"scalerAddress", "enableTLS", "unsafeSsl", "caCert", "tlsClientCert", "tlsClientKey"}

// guarded are fields whose value is never quoted: it may be a misplaced password.
var guarded = []string{"sourceAccessURI", "serverRootCACertificate"}

// fields reads metadata and collects what is wrong with it.
type fields struct {
	given map[string]string
	bad   []*FieldError
	twice []string // names that were rejected because they were given twice
}

// lookup returns a field's value, and the name under which it was given.
func (f *fields) lookup(name string) (value, as string, ok bool) {
	value, direct := f.given[name]
	other, fromEnv := f.given[name+"FromEnv"]
	switch {
	case direct && fromEnv:
		// A problem with the value itself is reported by the caller.
		if !slices.Contains(f.twice, name) {
			f.twice = append(f.twice, name)
			f.refuse(name, "", "is given twice, also as "+name+"FromEnv", "one of them")
		}
	case fromEnv:
		return strings.TrimSpace(other), name + "FromEnv", true
	}
	return strings.TrimSpace(value), name, direct
}

func (f *fields) refuse(as, value, problem, allowed string) {
	if strings.HasSuffix(as, "FromEnv") || slices.Contains(guarded, as) {
		value = ""
	}
	f.bad = append(f.bad, &FieldError{Field: as, Value: value, Problem: problem, Allowed: allowed})
}

// unknown rejects names that are not fields: a typing error would have no effect.
func (f *fields) unknown() {
	for _, name := range slices.Sorted(maps.Keys(f.given)) {
		plain := strings.TrimSuffix(name, "FromEnv")
		if slices.Contains(fieldNames, plain) || slices.Contains(kedaFields, name) {
			continue
		}
		f.refuse(name, "", "is not a field of this scaler", "one of "+strings.Join(fieldNames, ", "))
	}
}

// text returns a field that must be present and not empty.
func (f *fields) text(name, allowed string) (value, as string) {
	value, as, _ = f.lookup(name)
	if value == "" {
		f.refuse(as, "", "is missing", allowed)
	}
	return value, as
}

func (f *fields) choice(name, fallback string, choices ...string) string {
	value, as, ok := f.lookup(name)
	if !ok {
		return fallback
	}
	if !slices.Contains(choices, value) {
		f.refuse(as, value, "is none of the choices", strings.Join(choices, " or "))
		return fallback
	}
	return value
}

func (f *fields) integer(name string, fallback, least, most int) int {
	value, as, ok := f.lookup(name)
	if !ok {
		return fallback
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		f.refuse(as, value, "is not a number in range", strconv.Itoa(least)+" to "+strconv.Itoa(most))
		return fallback
	}
	return n
}

// number returns a fraction; both bounds are exclusive.
func (f *fields) number(name string, fallback, above, below float64) float64 {
	value, as, ok := f.lookup(name)
	if !ok {
		return fallback
	}
	x, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(x) || x <= above || x >= below {
		f.refuse(as, value, "is not a number in range",
			"more than "+strconv.FormatFloat(above, 'g', -1, 64)+" and less than "+strconv.FormatFloat(below, 'g', -1, 64))
		return fallback
	}
	return x
}

// duration accepts Go's format, or a number of seconds as KEDA uses.
func (f *fields) duration(name string, fallback, least, most time.Duration) time.Duration {
	value, as, ok := f.lookup(name)
	if !ok {
		return fallback
	}
	d, err := time.ParseDuration(value)
	if n, plain := strconv.ParseInt(value, 10, 32); plain == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d < least || d > most {
		f.refuse(as, value, "is not a duration in range", least.String()+" to "+most.String()+", such as 90s, 2m or 90")
		return fallback
	}
	return d
}

// list splits a value at commas.
func (f *fields) list(name, allowed string) (items []string, as string) {
	value, as := f.text(name, allowed)
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	if value != "" && len(items) == 0 {
		f.refuse(as, value, "names nothing", allowed)
	}
	return items, as
}
