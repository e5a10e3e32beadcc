package integration

import (
	"context"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/internal/kafkatest"
)

// part is one part of a certificate's subject.
type part struct {
	oid   asn1.ObjectIdentifier
	tag   int
	value string
}

func subjectOf(t *testing.T, parts ...part) []byte {
	t.Helper()
	var name []asn1.RawValue
	for _, p := range parts {
		attribute, err := asn1.Marshal(struct {
			Type  asn1.ObjectIdentifier
			Value asn1.RawValue
		}{p.oid, asn1.RawValue{Tag: p.tag, Bytes: []byte(p.value)}})
		if err != nil {
			t.Fatal(err)
		}
		name = append(name, asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: attribute})
	}
	der, err := asn1.Marshal(name)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestKafkaPrincipals allows to the principal that auth.Check prints what a mapping needs, for a dozen forms of subjects:
// with that ACL alone it works, with both drivers. The broker knows principals by its own words for them.
func TestKafkaPrincipals(t *testing.T) {
	const text, ia5, printable = asn1.TagUTF8String, asn1.TagIA5String, asn1.TagPrintableString
	id := func(last int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 4, last} }
	cn, country, locality, org, unit, serial := id(3), id(6), id(7), id(10), id(11), id(5)
	dc, uid := asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}, asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}
	email := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
	c := brokers.Cluster(t, kafkatest.ACLs())
	topic := c.NewTopic(t, 1)
	c.Produce(t, &kgo.Record{Topic: topic, Value: []byte("one")})
	for i, parts := range [][]part{
		{{cn, text, "alice"}},
		{{cn, text, "first"}, {org, text, "Example"}, {country, printable, "DE"}},
		{{country, printable, "DE"}, {org, text, "Example"}, {unit, text, "a"}, {unit, text, "b"}, {cn, text, "last"}},
		{{dc, ia5, "com"}, {dc, ia5, "example"}, {unit, text, "Users"}, {cn, text, "dc"}},
		{{cn, text, "mail"}, {email, ia5, "alice@example.com"}},
		{{uid, text, "alice-1"}, {cn, text, "uid"}},
		{{cn, text, "numbered"}, {serial, printable, "12345"}},
		{{org, text, "Example, Inc."}, {cn, text, "comma"}},
		{{cn, text, "equals=sign+plus"}, {org, text, `a"b\c;<d>`}},
		{{cn, text, " leading blank"}, {locality, text, "trailing "}},
		{{cn, text, "Zoë Müller"}, {locality, text, "北京"}},
		{{cn, text, "#hash"}, {id(4), text, "Surname"}, {id(42), text, "Given"}},
	} {
		cert, key := c.PKI().IssueSubject(t, subjectOf(t, parts...))
		marshalled, err := json.Marshal(map[string]string{"certificate": string(cert), "privateKey": string(key)})
		if err != nil {
			t.Fatal(err)
		}
		ca, err := json.Marshal(map[string]string{"certificate": string(c.PKI().CA())})
		if err != nil {
			t.Fatal(err)
		}
		secrets := auth.NewStatic(map[string]string{"client": string(marshalled), "ca": string(ca)})
		configs := []auth.SourceAccessConfiguration{{Type: auth.ClientCertificateTLSAuth, URI: "client"}, {Type: auth.ServerRootCACertificate, URI: "ca"}}
		report, err := auth.Check(t.Context(), secrets, configs)
		if err != nil {
			t.Fatal(err)
		}
		group := fmt.Sprintf("principal-%d", i)
		for _, acls := range []*kadm.ACLBuilder{kadm.NewACLs().Topics(topic), kadm.NewACLs().Groups(group).ResourcePatternType(kadm.ACLPatternPrefixed)} {
			if _, err := c.Admin().CreateACLs(t.Context(), acls.Allow(report.Principal).AllowHosts().Operations(kadm.OpRead)); err != nil {
				t.Fatal(err)
			}
		}
		for name, d := range drivers {
			t.Run(report.Principal+"/"+name, func(t *testing.T) {
				t.Parallel()
				got := make(chan struct{}, 100)
				runner, err := esm.New(esm.Mapping{FunctionName: "f", Topics: []string{topic}, SourceAccessConfigurations: configs,
					SelfManagedEventSource:            esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: c.BootstrapOf(kafkatest.MTLS)}},
					SelfManagedKafkaEventSourceConfig: &esm.SelfManagedKafkaEventSourceConfig{ConsumerGroupId: group + "-" + name},
				}, func(context.Context, esm.KafkaEvent) error {
					got <- struct{}{}
					return nil
				}, esm.WithDriver(d), esm.WithSecrets(secrets))
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithTimeout(t.Context(), patience)
				defer stop()
				done := make(chan error, 1)
				go func() { done <- runner.Run(ctx) }()
				select {
				case <-got:
				case <-ctx.Done():
					t.Errorf("%s: %v", report.Principal, runner.Status().Diagnosis)
				}
				stop()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		}
	}
}
