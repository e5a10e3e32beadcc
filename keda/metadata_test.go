package keda

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDefaults(t *testing.T) {
	c := mustParse(t, nil)
	if c.policy != policyDrain || c.drainTime != time.Minute || c.workersPerReplica != 1 || c.membersPerReplica != 1 ||
		c.batchSize != 100 || c.minReplicas != 0 || c.maxReplicas != 100 || c.startingPosition != trimHorizon ||
		c.readUncommitted || c.interval != 10*time.Second || c.maxAge != 5*time.Minute || c.sourceAccess != nil {
		t.Errorf("defaults are %+v", c)
	}
}

func TestMetadata(t *testing.T) {
	c, err := parse(map[string]string{
		"bootstrapServersFromEnv": " a:9092, [::1]:9093 ", "consumerGroup": "orders", "topics": "a,b, ^c.*$ ,a",
		"policy": "Lambda", "within": "90", "stepUp": "1.5", "stepDown": "0.25", "downAfter": "2",
		"workersPerReplica": "8", "membersPerReplica": "2", "minReplicas": "2", "maxReplicas": "9",
		"startingPosition": "AT_TIMESTAMP", "startingPositionTimestamp": "1700000000", "isolationLevel": "read_uncommitted",
		"sourceAccessType": "SASL_SCRAM_512_AUTH", "sourceAccessURI": "file:kafka.json", "serverRootCACertificate": "file:ca.json",
		"scalerAddress": "scaler:6000", "enableTLS": "true",
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.bootstrapServers, []string{"a:9092", "[::1]:9093"}) || !slices.Equal(c.topics, []string{"a", "b"}) ||
		len(c.patterns) != 1 || c.within != 90*time.Second || c.stepUp != 1.5 || c.startTimestamp.Unix() != 1700000000 ||
		!c.readUncommitted || len(c.sourceAccess) != 2 {
		t.Errorf("parsed %+v", c)
	}
	for workers, want := range map[int]int{0: 2, 1: 2, 16: 2, 17: 3, 64: 8, 65: 9, 1000: 9} {
		if got := c.replicas(workers); got != want {
			t.Errorf("%d workers are %d replicas, want %d", workers, got, want)
		}
	}
}

// TestBadMetadata sets one bad field at a time; each error names the field, the value and what is allowed.
func TestBadMetadata(t *testing.T) {
	for _, c := range []struct {
		field, value string // of the rejected field; an empty value leaves it out
		more         map[string]string
		says         []string
	}{
		{"bootstrapServers", "", nil, []string{"missing", "host:port"}},
		{"bootstrapServers", "kafka", nil, []string{`"kafka"`, "host:port"}},
		{"bootstrapServers", "kafka:99999", nil, []string{`"kafka:99999"`, "host:port"}},
		{"bootstrapServers", ",", nil, []string{"names nothing", "host:port"}},
		{"consumerGroup", "", nil, []string{"missing", "group.id"}},
		{"consumerGroup", strings.Repeat("x", 250), nil, []string{"too long", "249"}},
		{"topics", "", nil, []string{"missing", "topic names"}},
		{"topics", "a b", nil, []string{`"a b"`, "topic names"}},
		{"topics", "^(", nil, []string{`"^("`, "regular expression"}},
		{"policy", "drain", nil, []string{`"drain"`, "Drain or Lambda"}},
		{"drainTime", "0s", nil, []string{`"0s"`, "1s to 24h"}},
		{"drainTime", "soon", nil, []string{`"soon"`, "1s to 24h"}},
		{"drainTime", "10s", map[string]string{"policy": "Lambda"}, []string{`"10s"`, "policy Drain"}},
		{"within", "10s", nil, []string{`"10s"`, "policy Lambda"}},
		{"stepUp", "1", map[string]string{"policy": "Lambda"}, []string{`"1"`, "more than 1 and less than 100"}},
		{"stepDown", "NaN", map[string]string{"policy": "Lambda"}, []string{`"NaN"`, "more than 0 and less than 1"}},
		{"downAfter", "0", map[string]string{"policy": "Lambda"}, []string{`"0"`, "1 to 1000"}},
		{"workersPerReplica", "0", nil, []string{`"0"`, "1 to 10000"}},
		{"workersPerReplica", "10000", map[string]string{"maxReplicas": "10000"}, []string{`"10000"`, "1048576"}},
		{"membersPerReplica", "2001", nil, []string{`"2001"`, "1 to 2000"}},
		{"batchSize", "10001", nil, []string{`"10001"`, "1 to 10000"}},
		{"minReplicas", "-1", nil, []string{`"-1"`, "0 to 10000"}},
		{"minReplicas", "9", map[string]string{"maxReplicas": "8"}, []string{`"9"`, "over maxReplicas", "0 to 8"}},
		{"maxReplicas", "0", nil, []string{`"0"`, "1 to 10000"}},
		{"startingPosition", "latest", nil, []string{`"latest"`, "TRIM_HORIZON or LATEST or AT_TIMESTAMP"}},
		{"startingPositionTimestamp", "", map[string]string{"startingPosition": "AT_TIMESTAMP"}, []string{"missing", "1970"}},
		{"startingPositionTimestamp", "1700000000", nil, []string{`"1700000000"`, "AT_TIMESTAMP"}},
		{"startingPositionTimestamp", "yesterday", map[string]string{"startingPosition": "AT_TIMESTAMP"}, []string{`"yesterday"`, "1970"}},
		{"isolationLevel", "serializable", nil, []string{`"serializable"`, "read_committed or read_uncommitted"}},
		{"interval", "100ms", nil, []string{`"100ms"`, "1s to 5m"}},
		{"maxAge", "1s", nil, []string{`"1s"`, "10s to 24h"}},
		{"sourceAccessType", "PLAIN", nil, []string{`"PLAIN"`, "SASL_SCRAM_512_AUTH"}},
		{"sourceAccessURI", "", map[string]string{"sourceAccessType": "BASIC_AUTH"}, []string{"secret's name", "file:"}},
		{"sourceAccessURI", "file:x.json", nil, []string{"sourceAccessType"}},
		{"topicsFromEnv", "a b", map[string]string{"topics": ""}, []string{"topic names"}},
		{"topics", "t", map[string]string{"topicsFromEnv": "t"}, []string{"given twice", "topicsFromEnv"}},
		{"lagThreshold", "10", nil, []string{"not a field", "drainTime"}},
	} {
		t.Run(c.field+"="+c.value, func(t *testing.T) {
			more := map[string]string{c.field: c.value}
			for name, value := range c.more {
				more[name] = value
			}
			_, err := parse(metadataOf(more))
			bad, ok := errors.AsType[*InvalidMetadataError](err)
			if !ok || !errors.Is(err, ErrInvalidMetadata) {
				t.Fatalf("the error is %v", err)
			}
			if len(bad.Fields) != 1 || bad.Fields[0].Field != c.field {
				t.Fatalf("want one error, of %s: %v", c.field, err)
			}
			for _, text := range c.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q does not say %q", err, text)
				}
			}
		})
	}
}

// TestErrorsQuoteNoSecret puts a password where a user may put it by mistake.
func TestErrorsQuoteNoSecret(t *testing.T) {
	const secret = "hunter2!"
	for _, metadata := range []map[string]string{
		{"password": secret}, {"saslPasswordFromEnv": secret}, {"sourceAccessURI": secret},
		{"sourceAccessType": "BASIC_AUTH", "sourceAccessURI": secret}, {"serverRootCACertificate": secret},
		{"bootstrapServers": "user:" + secret + "@kafka:9092"}, {"policyFromEnv": secret}, {"topics": "", "topicsFromEnv": secret},
	} {
		_, err := parse(metadataOf(metadata))
		if err == nil {
			t.Errorf("%v was accepted", metadata)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%v: the error quotes the secret: %v", metadata, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range fieldNames {
		f.Add(name, "1", "policy", "Lambda")
	}
	f.Add("startingPositionTimestamp", "99999999999999999", "startingPosition", "AT_TIMESTAMP")
	f.Add("drainTime", "9223372036854775807", "interval", "1e3")
	f.Fuzz(func(t *testing.T, a, av, b, bv string) {
		metadata := metadataOf(nil)
		metadata[a], metadata[b] = av, bv
		c, err := parse(metadata)
		if err != nil {
			bad, ok := errors.AsType[*InvalidMetadataError](err)
			if !ok || len(bad.Fields) == 0 {
				t.Fatalf("the error is %#v", err)
			}
			return
		}
		if err := c.bounds().Validate(); err != nil {
			t.Errorf("accepted bounds that the policy refuses: %v", err)
		}
		if c.interval < time.Second || c.maxAge < 10*time.Second || c.replicas(1<<30) != c.maxReplicas || len(c.topics)+len(c.patterns) == 0 {
			t.Errorf("accepted %+v", c)
		}
	})
}
