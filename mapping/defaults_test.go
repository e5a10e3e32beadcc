package mapping

import (
	"crypto/sha1"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func TestWithDefaults(t *testing.T) {
	m := Mapping{FunctionName: "orders", Topics: []string{"orders"}, ProvisionedPollerConfig: &ProvisionedPollerConfig{}}
	id := m.derivedUUID()
	want := Mapping{
		FunctionName:                      "orders",
		Topics:                            []string{"orders"},
		UUID:                              id,
		SelfManagedKafkaEventSourceConfig: &SelfManagedKafkaEventSourceConfig{ConsumerGroupId: id},
		Enabled:                           new(true),
		StartingPosition:                  TrimHorizon,
		BatchSize:                         100,
		ProvisionedPollerConfig:           &ProvisionedPollerConfig{MinimumPollers: new(1), MaximumPollers: new(200)},
	}
	if got := m.WithDefaults(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if m.SelfManagedKafkaEventSourceConfig != nil || m.ProvisionedPollerConfig.MinimumPollers != nil {
		t.Errorf("the mapping itself was changed: %+v", m)
	}
	if got := (Mapping{}).WithDefaults(); got.UUID != "" || got.GroupID() != "" || got.SelfManagedKafkaEventSourceConfig != nil {
		t.Errorf("without a name there is no group: %+v", got)
	}
}

func TestWithDefaultsRetries(t *testing.T) {
	queue := &SelfManagedKafkaEventSourceConfig{ConsumptionMode: "Queue"}
	destination := &DestinationConfig{OnFailure: &Destination{Destination: "kafka://failed"}}
	tests := []struct {
		name string
		m    Mapping
		want *int
	}{
		{"unset", Mapping{}, nil},
		{"no limit", Mapping{MaximumRetryAttempts: new(-1)}, new(-1)},
		{"given", Mapping{MaximumRetryAttempts: new(0)}, new(0)},
		{"destination", Mapping{DestinationConfig: destination}, new(10)},
		{"destination, no limit", Mapping{DestinationConfig: destination, MaximumRetryAttempts: new(-1)}, new(10)},
		{"destination, given", Mapping{DestinationConfig: destination, MaximumRetryAttempts: new(50)}, new(50)},
		{"empty destination", Mapping{DestinationConfig: &DestinationConfig{OnFailure: &Destination{}}}, nil},
		{"queue", Mapping{SelfManagedKafkaEventSourceConfig: queue}, new(0)},
		{"queue, no limit", Mapping{SelfManagedKafkaEventSourceConfig: queue, MaximumRetryAttempts: new(-1)}, new(-1)},
	}
	for _, test := range tests {
		if got := test.m.WithDefaults().MaximumRetryAttempts; !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

func TestWithDefaultsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := genMapping().Draw(t, "mapping")
		once := m.WithDefaults()
		if twice := once.WithDefaults(); !reflect.DeepEqual(once, twice) {
			t.Fatalf("once  %+v\ntwice %+v", once, twice)
		}
		if once.GroupID() != m.GroupID() {
			t.Fatalf("the group changed from %q to %q", m.GroupID(), once.GroupID())
		}
		if before, after := m.Validate(), once.Validate(); fmt.Sprint(before) != fmt.Sprint(after) {
			t.Fatalf("before: %v\nafter: %v", before, after)
		}
	})
}

// The derived UUID names consumer groups: it must never change.
func TestDerivedUUID(t *testing.T) {
	if got := uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://github.com/esm-go/esm")); got != uuidNamespace {
		t.Errorf("the namespace is %v, want %v", uuidNamespace, got)
	}
	m := Mapping{FunctionName: "orders", Topics: []string{"b", "a"}}
	// Computed here as RFC 9562 §5.5 says.
	sum := sha1.Sum(append(slices.Clone(uuidNamespace[:]), "orders\x00"...))
	sum[6], sum[8] = sum[6]&0x0f|0x50, sum[8]&0x3f|0x80
	if want := fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]); m.GroupID() != want {
		t.Errorf("GroupID = %s, want %s", m.GroupID(), want)
	}
	if want := "d9c1632c-725e-533d-8983-b8090d01ea52"; m.GroupID() != want {
		t.Errorf("GroupID = %s, want %s: every consumer group would change", m.GroupID(), want)
	}
	if !slices.Equal(m.Topics, []string{"b", "a"}) {
		t.Error("Topics were sorted in place")
	}
}

func TestGroupID(t *testing.T) {
	base := Mapping{FunctionName: "orders", Topics: []string{"a", "b"}}
	with := func(change func(*Mapping)) string {
		m := base
		change(&m)
		return m.GroupID()
	}
	servers := with(func(m *Mapping) { m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers = []string{"a:1"} })
	added := with(func(m *Mapping) { m.Topics = []string{"b", "c", "a"} })
	if servers != base.GroupID() || added != base.GroupID() {
		t.Error("the group depends on the servers or on the topics")
	}
	const id = "14e0db71-5d35-4eb5-b481-8945cf9d10c2"
	if got := with(func(m *Mapping) { m.UUID = id }); got != id {
		t.Errorf("with a UUID: %s", got)
	}
	group := func(m *Mapping) {
		m.UUID, m.SelfManagedKafkaEventSourceConfig = id, &SelfManagedKafkaEventSourceConfig{ConsumerGroupId: "mine"}
	}
	if got := with(group); got != "mine" {
		t.Errorf("with a ConsumerGroupId: %s", got)
	}
	seen := map[string]Mapping{}
	for _, m := range []Mapping{base, {FunctionName: "ordersa"}, {FunctionName: "orders:PROD"}} {
		if other, twice := seen[m.GroupID()]; twice {
			t.Errorf("%+v and %+v have one group", m, other)
		}
		seen[m.GroupID()] = m
	}
}
