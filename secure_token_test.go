package esm_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/auth/iam"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/idptest"
	"github.com/esm-go/esm/internal/kafkatest"
	"github.com/esm-go/esm/internal/leaktest"
)

// bearerRig is a mapping whose brokers use a mechanism of tokens or signatures.
type bearerRig struct {
	*rotation
	authenticated func() int
	problems      chan auth.Diagnosis
}

// runBearer runs a mapping on a broker that makes clients authenticate every second, checked by verify.
func runBearer(t *testing.T, d driver.Driver, mechanism string, secrets auth.Secrets, ca *authority, server tls.Certificate, configs []auth.SourceAccessConfiguration,
	verify func(payload []byte) ([]byte, error), script func(*bearerRig)) {
	conns := new(connections)
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "orders"), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{server}}))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	r := &bearerRig{rotation: &rotation{t: t, watch: leaktest.New(t), ctx: ctx, cluster: cluster, conns: conns, seen: map[string]bool{}}, problems: make(chan auth.Diagnosis, 1000)}
	r.authenticated = kafkatest.SASL(cluster, mechanism, 1500*time.Millisecond, verify)
	if r.client, err = kgo.NewClient(kgo.DialTLSConfig(&tls.Config{RootCAs: pool}), kgo.SeedBrokers(cluster.ListenAddrs()...)); err != nil {
		t.Fatal(err)
	}
	defer r.client.Close()
	r.runner, err = esm.New(esm.Mapping{FunctionName: "f", Topics: []string{"orders"}, SourceAccessConfigurations: configs,
		SelfManagedEventSource: esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: cluster.ListenAddrs()}},
	}, func(_ context.Context, e esm.KafkaEvent) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, records := range e.Records {
			for _, record := range records {
				r.seen[string(record.Value)] = true
			}
		}
		return nil
	}, append(r.watch.Options(), esm.WithDriver(d), esm.WithSecrets(secrets), esm.WithSecretsRefresh(200*time.Millisecond),
		esm.WithHooks(esm.Hooks{Revoked: func(esm.AssignmentInfo) { r.revocations.Add(1) }, Lost: func(esm.AssignmentInfo) { r.revocations.Add(1) },
			Error: func(i esm.ErrorInfo) {
				select {
				case r.problems <- i.Diagnosis:
				default:
				}
			}}))...)
	if err != nil {
		t.Fatal(err)
	}
	run, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- r.runner.Run(run) }()
	script(r)
	r.watch.Say(r.runner.Status())
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// whole checks that everything sent has arrived, without a rebalance.
func (r *bearerRig) whole() {
	r.t.Helper()
	r.await("every record", func() bool { return r.received() == r.sent })
	if n := r.revocations.Load(); n > 0 {
		r.t.Errorf("partitions were taken away %d times", n)
	}
}

// refused waits for a diagnosis.
func (r *bearerRig) refused(cause auth.Cause, detail string) {
	r.t.Helper()
	for {
		select {
		case d := <-r.problems:
			if d.Cause == cause && strings.Contains(d.Detail, detail) && d.Hint != "" {
				return
			}
		case <-r.ctx.Done():
			r.t.Fatalf("want %q with %q; last %v", cause, detail, r.runner.Status().Diagnosis)
		}
	}
}

// TestOAuthOnDrivers lets each driver authenticate with tokens and extensions repeatedly, switch to another client in
// place, outlast a provider that is down, and name what a broker refuses.
func TestOAuthOnDrivers(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	server, _, _ := ca.issue(t, "broker")
	for name, d := range drivers {
		idp := idptest.New(t)
		for _, client := range []string{"first", "second"} {
			idp.Client(client, leaktest.Password(t, client))
		}
		secret := func(client string) string {
			return asJSON(t, map[string]string{"oauthTokenEndpointUrl": idp.URL, "oauthClientId": client, "oauthClientSecret": leaktest.Password(t, client), "oauthIdpCaCertificate": idp.CA})
		}
		secrets := &changing{values: map[string]string{"oauth": secret("first"), "ca": asJSON(t, map[string]string{"certificate": ca.pem})}}
		configs := []auth.SourceAccessConfiguration{{Type: auth.OAuthBearerAuth, URI: "oauth"}, {Type: auth.OAuthBearerAudience, URI: "orders-cluster"},
			{Type: auth.OAuthBearerLogicalCluster, URI: "lkc-1"}, {Type: auth.OAuthBearerIdentityPool, URI: "pool-1"}, {Type: auth.ServerRootCACertificate, URI: "ca"}}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			subjects := map[any]int{}
			refuse := false
			runBearer(t, d, "OAUTHBEARER", secrets, ca, server, configs, func(payload []byte) ([]byte, error) {
				token, extensions, err := kafkatest.Bearer(payload)
				if err != nil {
					return nil, err
				}
				claims, err := idp.Claims(token)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err != nil || refuse:
					return nil, errors.New(`{"status":"invalid_token"}`)
				case claims["aud"] != "orders-cluster" || extensions["logicalCluster"] != "lkc-1" || extensions["identityPoolId"] != "pool-1":
					return nil, fmt.Errorf("claims %v, extensions %v", claims, extensions)
				}
				subjects[claims["sub"]]++
				return nil, nil
			}, func(r *bearerRig) {
				r.load("the first records", func() bool { return r.received() > 20 })
				before := r.authenticated()
				r.load("clients to authenticate again", func() bool { return r.authenticated() > before+4 })
				secrets.set("oauth", secret("second"))
				r.load("the rotation", func() bool { return r.runner.Status().Credentials.Rotations == 1 })
				r.load("tokens of the other client", func() bool { mu.Lock(); defer mu.Unlock(); return subjects["second"] > 4 })
				idp.Away(true)
				before = r.authenticated()
				r.load("authentications without the provider", func() bool { return r.authenticated() > before+3 })
				r.whole()
				mu.Lock()
				refuse = true
				mu.Unlock()
				r.refused(auth.CauseToken, `audience "orders-cluster"`)
				idp.Away(false)
				mu.Lock()
				refuse = false
				mu.Unlock()
				more := r.received() + 20
				r.load("records once tokens are taken again", func() bool { return r.received() > more })
			})
		})
	}
}

// webIdentity issues tokens of AWS STS that the test's broker can check.
type webIdentity struct {
	*iam.Signer
	idp *idptest.Provider
}

func (w webIdentity) WebIdentityToken(_ context.Context, audience string) (*auth.Token, error) {
	expires := time.Now().Add(5 * time.Minute)
	token, err := w.idp.Sign(map[string]any{"sub": "role", "aud": audience, "exp": expires.Unix()})
	return &auth.Token{Value: auth.NewSecret(token), Expires: expires}, err
}

// TestIAMOnDrivers lets each driver authenticate with AWS signatures, in the mechanism that it supports: franz with
// AWS_MSK_IAM, librdkafka with the token that Amazon MSK accepts instead. A wrong key and a wrong clock are named.
func TestIAMOnDrivers(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	server, _, _ := ca.issue(t, "broker")
	const key, session = leaktest.Mark + "-secret-access-key", leaktest.Mark + "-session-token"
	signer := func(t *testing.T, secret string) *iam.Signer {
		s, err := iam.New(t.Context(), iam.WithConfig(aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKID", secret, session)}))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	store := auth.NewStatic(map[string]string{"ca": asJSON(t, map[string]string{"certificate": ca.pem})})
	root := auth.SourceAccessConfiguration{Type: auth.ServerRootCACertificate, URI: "ca"}
	broker := kafkatest.IAM{Region: "eu-west-1", AccessKey: "AKID", Secret: key, SessionToken: session}
	idp := idptest.New(t)
	for name, d := range drivers {
		mechanism, check := "AWS_MSK_IAM", func(b kafkatest.IAM, payload []byte) ([]byte, error) {
			return []byte(`{"version":"2020_10_22","request-id":"1"}`), b.Challenge(payload)
		}
		if name == "confluent" {
			mechanism, check = "OAUTHBEARER", func(b kafkatest.IAM, payload []byte) ([]byte, error) {
				token, _, err := kafkatest.Bearer(payload)
				return nil, errors.Join(err, b.Token(token))
			}
		}
		iamAuth := []auth.SourceAccessConfiguration{{Type: auth.IAMAuth}, root}
		t.Run(name+"/IAM_AUTH", func(t *testing.T) {
			t.Parallel()
			runBearer(t, d, mechanism, auth.WithIAM(store, signer(t, key)), ca, server, iamAuth,
				func(payload []byte) ([]byte, error) { return check(broker, payload) }, func(r *bearerRig) {
					r.load("the first records", func() bool { return r.received() > 20 })
					before := r.authenticated()
					r.load("clients to authenticate again", func() bool { return r.authenticated() > before+4 })
					r.whole()
				})
		})
		for reason, c := range map[string]struct {
			secret string
			skew   time.Duration
			detail string
		}{
			"wrong key":   {leaktest.Mark + "-wrong", 0, "signature does not match"},
			"wrong clock": {key, time.Hour, "Signature expired"},
		} {
			t.Run(name+"/"+reason, func(t *testing.T) {
				t.Parallel()
				late := broker
				late.Skew = c.skew
				runBearer(t, d, mechanism, auth.WithIAM(store, signer(t, c.secret)), ca, server, iamAuth,
					func(payload []byte) ([]byte, error) { return check(late, payload) }, func(r *bearerRig) { r.refused(auth.CauseIAM, c.detail) })
			})
		}
		t.Run(name+"/IAM_OAUTHBEARER_AUTH", func(t *testing.T) {
			t.Parallel()
			runBearer(t, d, "OAUTHBEARER", auth.WithIAM(store, webIdentity{signer(t, key), idp}), ca, server,
				[]auth.SourceAccessConfiguration{{Type: auth.IAMOAuthBearerAuth}, {Type: auth.OAuthBearerAudience, URI: "orders-cluster"}, root},
				func(payload []byte) ([]byte, error) {
					token, _, err := kafkatest.Bearer(payload)
					if err != nil {
						return nil, err
					}
					if claims, err := idp.Claims(token); err != nil || claims["aud"] != "orders-cluster" {
						return nil, fmt.Errorf("%v, %w", claims, err)
					}
					return nil, nil
				}, func(r *bearerRig) {
					r.load("the first records", func() bool { return r.received() > 20 })
					r.whole()
				})
		})
	}
}
