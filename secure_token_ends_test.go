package esm_test

import (
	"errors"
	"testing"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/internal/idptest"
	"github.com/esm-go/esm/internal/kafkatest"
	"github.com/esm-go/esm/internal/leaktest"
)

// TestTokensEndWhileTheProviderIsAway lets tokens expire while no new ones are available. Brokers then refuse the old
// ones, but that is a consequence: from the first report on, the provider is named as the cause.
func TestTokensEndWhileTheProviderIsAway(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	server, _, _ := ca.issue(t, "broker")
	for name, d := range drivers {
		idp := idptest.New(t)
		idp.Client("client", leaktest.Password(t, "client"))
		idp.Lifetime(6 * time.Second)
		secrets := &changing{values: map[string]string{"ca": asJSON(t, map[string]string{"certificate": ca.pem}),
			"oauth": asJSON(t, map[string]string{"oauthTokenEndpointUrl": idp.URL, "oauthClientId": "client", "oauthClientSecret": leaktest.Password(t, "client"), "oauthIdpCaCertificate": idp.CA})}}
		configs := []auth.SourceAccessConfiguration{{Type: auth.OAuthBearerAuth, URI: "oauth"}, {Type: auth.ServerRootCACertificate, URI: "ca"}}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runBearer(t, d, "OAUTHBEARER", secrets, ca, server, configs, func(payload []byte) ([]byte, error) {
				token, _, err := kafkatest.Bearer(payload)
				if err == nil {
					_, err = idp.Claims(token)
				}
				if err != nil {
					return nil, errors.New(`{"status":"invalid_token"}`)
				}
				return nil, nil
			}, func(r *bearerRig) {
				r.load("the first records", func() bool { return r.received() > 20 })
				idp.Away(true)
				named := 0
				enough := time.NewTimer(12 * time.Second)
				defer enough.Stop()
				for over := false; !over; {
					select {
					case d := <-r.problems:
						switch d.Cause {
						case auth.CauseTokenEndpoint:
							named++
						case auth.CauseToken, auth.CauseSASLState, auth.CauseMechanism, auth.CauseCredentials, auth.CauseSASLMissing:
							t.Errorf("named %q: %s", d.Cause, d.Detail)
						}
					case <-enough.C:
						over = true
					}
				}
				if named == 0 {
					t.Errorf("the provider was never named: %v", r.runner.Status().Diagnosis)
				}
				if got := r.runner.Status().LastProcessingResult; got != "PROBLEM: "+auth.TextConnection {
					t.Errorf("LastProcessingResult %q", got)
				}
				idp.Away(false)
				more := r.received() + 20
				r.load("records once the provider is back", func() bool { return r.received() > more })
				r.whole()
			})
		})
	}
}
