package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/destination/kafka"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/awstest"
	"github.com/esm-go/esm/internal/kafkatest"
)

func TestKafkaSend(t *testing.T) {
	c := brokers.Cluster(t)
	for name, d := range drivers {
		t.Run(name, func(t *testing.T) { testSend(t, d, c.Client) })
	}
}

const password = "s3cr3t-of-the-destination"

// TestKafkaCredentials: the mapping's user needs an ACL on the topic, a changed password is used in place or with a new
// client, and no error contains a password.
func TestKafkaCredentials(t *testing.T) {
	// Each driver has its own user: one without any write permission is rejected in a different way.
	opts := []kafkatest.Option{kafkatest.ACLs()}
	for _, name := range slices.Sorted(maps.Keys(drivers)) {
		opts = append(opts, kafkatest.User(name, password))
	}
	c := brokers.Cluster(t, opts...)
	for name, d := range drivers {
		t.Run(name, func(t *testing.T) {
			credentials := func(password string) *auth.Credentials {
				return &auth.Credentials{Protocol: auth.ProtocolSASLSSL, Mechanism: auth.MechanismSCRAMSHA512, Username: name,
					Password: auth.NewSecret(password), RootCAs: c.PKI().CA()}
			}
			topic := c.NewTopic(t, 1)
			to, err := kafka.New(d, "kafka://"+topic, driver.ProducerConfig{BootstrapServers: c.BootstrapOf(kafkatest.SASLSSL),
				ClientID: "test", Credentials: credentials(password), Timeout: 5 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := to.Close(context.Background()); err != nil {
					t.Error(err)
				}
			}()
			var e *destination.Error
			for range 2 {
				err = to.Send(t.Context(), awstest.Failure(1))
				if !errors.As(err, &e) || e.Reason != destination.ReasonAccessDenied || !strings.Contains(err.Error(), "allow it Write") {
					t.Errorf("without an ACL: %v", err)
				}
			}
			acl := kadm.NewACLs().Allow("User:"+name).AllowHosts().Operations(kadm.OpWrite, kadm.OpDescribe).
				ResourcePatternType(kadm.ACLPatternLiteral).Topics(topic)
			if _, err := c.Admin().CreateACLs(t.Context(), acl); err != nil {
				t.Fatal(err)
			}
			send := func(what string) {
				t.Helper()
				s := destination.NewSender(to, destination.SenderConfig{MaxBackoff: 200 * time.Millisecond})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				answer := make(chan error, 1)
				s.Send(ctx, awstest.Failure(1), func(err error) { answer <- err })
				if err := <-answer; err != nil {
					t.Errorf("%s: %v; %v", what, err, s.Status().LastError)
				}
				if err := s.Close(context.Background()); err != nil {
					t.Error(err)
				}
			}
			send("with an ACL")
			// The password changes at the broker; the old one cannot open new connections.
			next := password + "-" + name
			salt := kadm.UpsertSCRAM{User: name, Mechanism: kadm.ScramSha512, Iterations: 4096, Password: next}
			if _, err := c.Admin().AlterUserSCRAMs(t.Context(), nil, []kadm.UpsertSCRAM{salt}); err != nil {
				t.Fatal(err)
			}
			defer func() {
				salt.Password = password
				if _, err := c.Admin().AlterUserSCRAMs(context.Background(), nil, []kadm.UpsertSCRAM{salt}); err != nil {
					t.Error(err)
				}
			}()
			if err := to.ReplaceCredentials(credentials(next)); err != nil {
				t.Fatal(err)
			}
			send("with another password")
			old, err := kafka.New(d, "kafka://"+topic, driver.ProducerConfig{BootstrapServers: c.BootstrapOf(kafkatest.SASLSSL),
				ClientID: "old", Credentials: credentials(password), Timeout: 5 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			err = old.Send(t.Context(), awstest.Failure(1))
			if !errors.As(err, &e) || e.Reason != destination.ReasonAccessDenied || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("with the old password: %v", err)
			}
			if err := old.Close(context.Background()); err != nil {
				t.Error(err)
			}
			// Certificates are different: the confluent driver needs a new client for them.
			other := credentials(next)
			other.RootCAs = append([]byte("\n"), other.RootCAs...)
			if err := to.ReplaceCredentials(other); err != nil {
				t.Fatal(err)
			}
			send("with other certificates")
		})
	}
}

// TestKafkaOutage: while a broker is killed and frozen, nothing is lost, and duplicates have the same ID.
func TestKafkaOutage(t *testing.T) {
	for name, d := range drivers {
		t.Run(name, func(t *testing.T) {
			c := kafkatest.Start(t)
			topic := c.NewTopic(t, 4)
			to := open(t, d, c.Client, topic)
			s := destination.NewSender(to, destination.SenderConfig{Timeout: 5 * time.Second, MaxBackoff: time.Second})
			const n = 3000
			var mu sync.Mutex
			refused := 0
			var wg sync.WaitGroup
			wg.Add(n)
			half := make(chan struct{})
			sent := 0
			for i := range n {
				f := awstest.Failure(1)
				f.Event.Records["orders-0"] = []event.KafkaRecord{{Topic: "orders", Offset: int64(i), Timestamp: 1, Key: fmt.Append(nil, i)}}
				s.Send(t.Context(), f, func(err error) {
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						refused++
					}
					if sent++; sent == n/3 {
						close(half)
					}
					wg.Done()
				})
			}
			<-half
			c.Kill(t, 1)
			c.Restart(t, 1)
			wg.Wait()
			if refused > 0 {
				t.Errorf("%d are not acknowledged", refused)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
			sum := int64(0)
			for _, end := range c.EndOffsets(t, topic) {
				sum += end
			}
			ids, keys := make(map[string]bool), make(map[string]bool)
			for _, m := range read(t, c.Client, topic, int(sum)) {
				keys[string(m.Key)] = true
				for _, h := range m.Headers {
					if h.Key == destination.AttributeID {
						ids[string(h.Value)] = true
					}
				}
			}
			if len(keys) != n || len(ids) != n {
				t.Errorf("%d records and %d ids of %d arrived, in %d messages", len(keys), len(ids), n, sum)
			}
		})
	}
}

// BenchmarkKafkaSend writes failures of 100 records of 100 bytes, from 8 partitions concurrently. An operation is a
// record.
func BenchmarkKafkaSend(b *testing.B) {
	for name, d := range drivers {
		b.Run(name, func(b *testing.B) {
			c := brokers.Cluster(b)
			topic := c.NewTopic(b, 8)
			to, err := kafka.New(d, "kafka://"+topic, driver.ProducerConfig{BootstrapServers: c.Bootstrap(), ClientID: "bench"})
			if err != nil {
				b.Fatal(err)
			}
			s := destination.NewSender(to, destination.SenderConfig{})
			f := awstest.Failure(1)
			records := make([]event.KafkaRecord, 100)
			for i := range records {
				records[i] = event.KafkaRecord{Topic: "orders", Offset: int64(i), Timestamp: 1, Key: fmt.Append(nil, i), Value: make([]byte, 100)}
			}
			f.Event.Records = map[string][]event.KafkaRecord{"orders-0": records}
			slots := make(chan struct{}, 8)
			b.ResetTimer()
			for range (b.N + 99) / 100 {
				slots <- struct{}{}
				s.Send(b.Context(), f, func(err error) {
					if err != nil {
						b.Error(err)
					}
					<-slots
				})
			}
			for range cap(slots) {
				slots <- struct{}{}
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			if err := errors.Join(s.Close(context.Background()), to.Close(context.Background())); err != nil {
				b.Error(err)
			}
		})
	}
}
