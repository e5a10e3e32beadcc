package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/destination/resolve"
	"github.com/esm-go/esm/internal/awstest"
	"github.com/esm-go/esm/internal/kafkatest"
)

// awsDestinations creates the destinations of ARNs on a fake of AWS; a topic needs no option.
func awsDestinations(cfg aws.Config) esm.Option {
	if cfg.BaseEndpoint == nil {
		return esm.WithDestinations(resolve.New())
	}
	return esm.WithDestinations(resolve.New(resolve.WithAWS(cfg), resolve.WithPathStyle()))
}

func TestKafkaPoison(t *testing.T) { onKafka(t, testPoison) }

// A process is killed while it sends failures, one of ten records of each batch. What the group had committed
// by then was handled or is in the destination, and another process delivers the rest. No record is both
// handled and in the destination.
func TestKafkaDestinationKilled(t *testing.T) {
	onKafka(t, func(t *testing.T, e *env) {
		eachDestination(t, e, func(t *testing.T, k *kept, cfg aws.Config) {
			if cfg.BaseEndpoint != nil && e.driver.Name() != "franz" {
				t.Skip("AWS's destinations have nothing to do with the driver; TestKafkaPoison has them with each")
			}
			const n, fails = 800, 10 // in each of two partitions
			e := *e
			e.group = awstest.Name(t)
			topic := e.NewTopic(t, 2)
			e.fillAll(t, topic, 2, n)
			m := e.failing(topic, k)
			m.BatchSize, m.MaximumRetryAttempts = 20, new(0)
			m.FunctionResponseTypes = []esm.FunctionResponseType{esm.ReportBatchItemFailures}
			dir, name := t.TempDir(), e.driver.Name()
			first := child{Driver: name, Mapping: m, File: dir + "/first", Fails: fails, Env: awsEnv(cfg)}
			cmd := first.start(t)
			eventually(t, "a third of the records", func() bool { return first.size() > 2*n/3*int64(len("0 123\n")) })
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // returns "signal: killed"
			held, before, sent := e.Committed(t, e.group, topic), first.read(t), k.offsets(t)
			total := 0
			for p, at := range held {
				handled := set(before[p])
				total += len(before[p])
				for offset := range at {
					if !handled[offset] && sent[p][offset] == 0 {
						t.Errorf("%d-%d is committed, and neither handled nor in the destination", p, offset)
					}
				}
			}
			if total == 0 || total >= 2*n*(fails-1)/fails {
				t.Errorf("the kill came at the wrong time to show anything: %d records were handled", total)
			}

			second := child{Driver: name, Mapping: m, File: dir + "/second", Fails: fails, Env: awsEnv(cfg)}
			cmd = second.start(t)
			e.committed(t, topic, map[int32]int64{0: n, 1: n})
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("the second consumer: %v", err)
			}
			after, sent := second.read(t), k.offsets(t)
			again := 0
			for p := range int32(2) {
				handled := set(append(slices.Clone(before[p]), after[p]...))
				for offset := range int64(n) {
					if poison := offset%fails == fails-1; handled[offset] == poison || (sent[p][offset] > 0) != poison {
						t.Errorf("%d-%d: handled %t, %d times in the destination", p, offset, handled[offset], sent[p][offset])
					}
				}
				for _, times := range sent[p] {
					again += times - 1
				}
			}
			t.Logf("killed at %v, %d failures twice", held, again)
		})
	})
}

func set(offsets []int64) map[int64]bool {
	out := map[int64]bool{}
	for _, offset := range offsets {
		out[offset] = true
	}
	return out
}

// awsEnv is the environment from which the AWS SDK in another process takes its settings.
func awsEnv(cfg aws.Config) []string {
	if cfg.BaseEndpoint == nil {
		return nil
	}
	return []string{"AWS_ENDPOINT_URL=" + *cfg.BaseEndpoint, "AWS_REGION=" + awstest.Region, "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=x"}
}

// The password changes while a mapping runs, and then every connection is cut: the mapping writes to the
// topic of failures with the new one. A user without an ACL on it gets that error, and the records wait until
// there is one.
func TestKafkaDestinationCredentials(t *testing.T) {
	users := slices.Sorted(maps.Keys(drivers))
	opts := []kafkatest.Option{kafkatest.ACLs()}
	for _, user := range users {
		opts = append(opts, kafkatest.User(user, "first-password"))
	}
	c := kafkatest.Start(t, opts...)
	var rotated sync.WaitGroup
	rotated.Add(len(users))
	cut := sync.OnceFunc(func() {
		c.Kill(t, 1)
		c.Restart(t, 1)
	})
	for _, user := range users {
		t.Run(user, func(t *testing.T) {
			t.Parallel()
			ready := sync.OnceFunc(rotated.Done)
			defer ready() // for a test that fails earlier
			e := &env{Client: c.Client, driver: drivers[user], group: "rotates-" + user}
			k, topic := e.dead(t, 1), e.NewTopic(t, 1)
			c.AllowRead(t, "User:"+user, topic, e.group)
			secret := func(password string) string {
				text, err := json.Marshal(map[string]string{"username": user, "password": password})
				if err != nil {
					t.Fatal(err)
				}
				return string(text)
			}
			ca, err := json.Marshal(map[string]string{"certificate": string(c.PKI().CA())})
			if err != nil {
				t.Fatal(err)
			}
			secrets := &rotating{values: map[string]string{"login": secret("first-password"), "ca": string(ca)}}
			m := e.failing(topic, k)
			m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers = c.BootstrapOf(kafkatest.SASLSSL)
			m.SourceAccessConfigurations = []esm.SourceAccessConfiguration{{Type: auth.SASLSCRAM512Auth, URI: "login"}, {Type: auth.ServerRootCACertificate, URI: "ca"}}
			p := e.run(t, m, func(context.Context, esm.KafkaEvent) error { return errors.New("poison") },
				esm.WithSecrets(secrets), esm.WithSecretsRefresh(200*time.Millisecond)).ready()
			says := func(word string) func() bool {
				return func() bool { return strings.Contains(p.runner.Status().LastProcessingResult, word) }
			}
			eventually(t, "the topic's ACL is missed at the start", says("allow it Write"), p)
			e.fill(t, topic, 0, 1)
			eventually(t, "a failure waits", func() bool { return p.runner.Status().Destination.Failing == 1 }, p)
			acl := kadm.NewACLs().Allow("User:"+user).AllowHosts().Operations(kadm.OpWrite, kadm.OpDescribe).
				ResourcePatternType(kadm.ACLPatternLiteral).Topics(strings.TrimPrefix(k.name, "kafka://"))
			if _, err := c.Admin().CreateACLs(t.Context(), acl); err != nil {
				t.Fatal(err)
			}
			e.committed(t, topic, map[int32]int64{0: 1}, p)
			eventually(t, "nothing is wrong any more", func() bool { return len(p.runner.Status().Conditions) == 0 }, p)

			salt := kadm.UpsertSCRAM{User: user, Mechanism: kadm.ScramSha512, Iterations: 4096, Password: "second-password"}
			if _, err := c.Admin().AlterUserSCRAMs(t.Context(), nil, []kadm.UpsertSCRAM{salt}); err != nil {
				t.Fatal(err)
			}
			secrets.set("login", secret("second-password"))
			eventually(t, "the rotation", func() bool { return p.runner.Status().Credentials.Rotations == 1 }, p)
			ready()
			rotated.Wait()
			cut()
			e.fill(t, topic, 0, 3)
			e.committed(t, topic, map[int32]int64{0: 4}, p)
			if got := k.offsets(t); len(got[0]) != 4 {
				t.Errorf("the destination holds %v", got)
			}
			if s := fmt.Sprintf("%+v", p.runner.Status()); strings.Contains(s, "-password") {
				t.Errorf("a password is in the status: %s", s)
			}
			p.endClean()
		})
	}
}
