package esm_test

import (
	"context"
	"testing"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/leaktest"
	"github.com/esm-go/esm/observe"
)

// Nothing that holds credentials prints them: neither the drivers' configurations nor Status.
func TestConfigurationsPrintNoSecret(t *testing.T) {
	w := leaktest.New(t)
	_, cert, key := newAuthority(t).issue(t, "alice")
	login := leaktest.Password(t, "login")
	credentials := &auth.Credentials{Protocol: auth.ProtocolSASLSSL, Mechanism: auth.MechanismPlain, Username: "alice", Password: auth.NewSecret(login),
		Certificate: []byte(cert), PrivateKey: auth.NewSecret(key)}
	secrets := auth.NewStatic(map[string]string{"login": asJSON(t, map[string]string{"username": "alice", "password": login, "certificate": cert, "privateKey": key})})
	mapping := esm.Mapping{
		FunctionName:               "f",
		Topics:                     []string{"orders"},
		SelfManagedEventSource:     esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: []string{"localhost:9092"}}},
		SourceAccessConfigurations: []auth.SourceAccessConfiguration{{Type: auth.BasicAuth, URI: "login"}},
	}
	config := driver.Config{BootstrapServers: []string{"localhost:9092"}, Credentials: credentials}
	for _, v := range []any{*credentials, credentials, config, &config, mapping, &mapping, secrets, auth.Prefixes{"a": secrets},
		observe.CredentialsStatus{InUse: credentials.String()}, esm.Status{Credentials: observe.CredentialsStatus{InUse: credentials.String()}}} {
		w.Say(v)
		w.Logger().Info("x", "value", v)
	}
	for name, d := range drivers {
		runner, err := esm.New(mapping, func(context.Context, esm.KafkaEvent) error { return nil }, esm.WithDriver(d), esm.WithSecrets(secrets))
		if err != nil {
			t.Fatal(name, err)
		}
		w.Say(runner.Status())
		w.Say(d)
		// A client's error must not quote the value that it refuses.
		bad := config
		bad.Logger = w.Logger()
		bad.Credentials = &auth.Credentials{Protocol: auth.ProtocolSSL, Certificate: []byte(cert), PrivateKey: auth.NewSecret(key + leaktest.Mark)}
		if consumer, err := d.Open(bad, nil); err == nil {
			_ = consumer.Close(t.Context())
			t.Logf("%s takes a key with something behind it", name)
		} else {
			w.Say(err)
		}
		bad.Credentials = &auth.Credentials{Protocol: auth.ProtocolSSL, Certificate: []byte(cert), PrivateKey: auth.NewSecret(leaktest.Mark + key[:60])}
		if _, err := d.Open(bad, nil); err == nil {
			t.Errorf("%s takes a broken key", name)
		} else {
			w.Say(err)
		}
	}
}
