package integration

import (
	"context"
	"encoding/asn1"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

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

// generatedSubjects returns subjects with all kinds of attributes, strings and characters, the same ones each
// time.
func generatedSubjects(t *testing.T, n int) [][]byte {
	t.Helper()
	random := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // the same ones each time
	kinds := []asn1.ObjectIdentifier{{2, 5, 4, 3}, {2, 5, 4, 4}, {2, 5, 4, 5}, {2, 5, 4, 6}, {2, 5, 4, 7}, {2, 5, 4, 8}, {2, 5, 4, 9}, {2, 5, 4, 10}, {2, 5, 4, 11},
		{2, 5, 4, 12}, {2, 5, 4, 42}, {0, 9, 2342, 19200300, 100, 1, 1}, {0, 9, 2342, 19200300, 100, 1, 25}, {1, 2, 840, 113549, 1, 9, 1}, {1, 3, 6, 1, 4, 1, 99999, 1}}
	pieces := []string{"alice", "Zoë", "北京", "😀", " ", "  ", "\r", "\n", "\t", ",", "=", "+", "<", ">", "#", ";", `"`, `\`, "/", "a,b", "x=y", "CN=eve", "'", "ß",
		"e\u0301", "\u00a0", "(", ".", ":", "?", "-", "@", "*", "&", "É\u200d", "\u007f", "\u0085"}
	var all [][]byte
	for range n {
		parts := make([]part, 1+random.IntN(6))
		for i := range parts {
			p := part{kinds[random.IntN(len(kinds))], asn1.TagUTF8String, ""}
			for range random.IntN(6) {
				p.value += pieces[random.IntN(len(pieces))]
			}
			switch random.IntN(6) {
			case 0:
				p.tag, p.value = asn1.TagPrintableString, "Example Ltd."
			case 1:
				p.tag, p.value = asn1.TagIA5String, " alice@example.com"
			case 2: // without characters beyond the first 65,536: crypto/x509 cannot read those
				p.tag = asn1.TagBMPString
				var units []byte
				for _, r := range strings.ReplaceAll(p.value, "😀", "") {
					units = binary.BigEndian.AppendUint16(units, uint16(r))
				}
				p.value = string(units)
			}
			parts[i] = p
		}
		all = append(all, subjectOf(t, parts...))
	}
	return all
}

// principalCluster enforces ACLs, and issues delegation tokens.
func principalCluster(t *testing.T) *kafkatest.Cluster {
	return brokers.Cluster(t, kafkatest.ACLs(), kafkatest.Property("delegation.token.secret.key", "of-the-test"))
}

// TestKafkaPrincipalsOfGeneratedSubjects asks a broker which principals it sees for hundreds of certificates:
// they are those that auth.Check reports. A broker names the principal in its answer to a request for a
// delegation token.
func TestKafkaPrincipalsOfGeneratedSubjects(t *testing.T) {
	c := principalCluster(t)
	for _, subject := range generatedSubjects(t, 200) {
		cert, key := c.PKI().IssueSubject(t, subject)
		secrets := auth.NewStatic(map[string]string{"client": jsonOf(t, map[string]string{"certificate": string(cert), "privateKey": string(key)}),
			"ca": jsonOf(t, map[string]string{"certificate": string(c.PKI().CA())})})
		credentials, _, err := auth.Resolve(t.Context(), secrets, []auth.SourceAccessConfiguration{{Type: auth.ClientCertificateTLSAuth, URI: "client"}, {Type: auth.ServerRootCACertificate, URI: "ca"}})
		if err != nil {
			t.Fatalf("%x: %v", subject, err)
		}
		config, err := credentials.TLSConfig()
		if err != nil {
			t.Fatal(err)
		}
		client, err := kgo.NewClient(kgo.SeedBrokers(c.BootstrapOf(kafkatest.MTLS)...), kgo.DialTLSConfig(config))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		request := kmsg.NewPtrCreateDelegationTokenRequest()
		request.MaxLifetimeMillis = 60_000
		answer, err := request.RequestWith(ctx, client)
		cancel()
		client.Close()
		if err != nil {
			t.Fatalf("%x: %v", subject, err)
		}
		if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
			t.Fatalf("%x: %v", subject, err)
		}
		if want := answer.PrincipalType + ":" + answer.PrincipalName; credentials.Principal() != want {
			t.Errorf("%x: the broker takes it for %q, and Principal says %q", subject, want, credentials.Principal())
		}
	}
}

// TestKafkaPrincipals grants what a mapping needs to the principal that auth.Check prints, for a dozen forms
// of subjects: with that ACL alone the mapping works, with both drivers. The broker has its own names for
// principals.
func TestKafkaPrincipals(t *testing.T) {
	const text, ia5, printable = asn1.TagUTF8String, asn1.TagIA5String, asn1.TagPrintableString
	id := func(last int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 4, last} }
	cn, country, locality, org, unit, serial := id(3), id(6), id(7), id(10), id(11), id(5)
	dc, uid := asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}, asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}
	email := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
	c := principalCluster(t)
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
