package auth_test

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/esm-go/esm/auth"
)

func ExampleResolve() {
	store := auth.NewStatic(map[string]string{"kafka": `{"username":"alice","password":"hunter2"}`})
	credentials, _, err := auth.Resolve(context.Background(), store, []auth.SourceAccessConfiguration{
		{Type: auth.SASLSCRAM512Auth, URI: "kafka"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(credentials.Protocol, credentials.Mechanism, credentials.Username, credentials.Password)
	// Output: SASL_SSL SCRAM-SHA-512 alice REDACTED
}

func ExampleResolve_error() {
	store := auth.NewStatic(map[string]string{"kafka": `{"Username":"alice","password":"hunter2"}`})
	_, _, err := auth.Resolve(context.Background(), store, []auth.SourceAccessConfiguration{
		{Type: auth.SASLSCRAM512Auth, URI: "kafka"},
	})
	fmt.Println(err)
	// Output: secret "kafka" (SASL_SCRAM_512_AUTH), field username: is missing: the name is username, in these letters
}

func ExampleCredentials_Classify() {
	err := fmt.Errorf("joining the group: %w", kerr.GroupAuthorizationFailed)    // as franz-go returns it
	diagnosis := new(auth.Credentials).Classify(err, "orders", "orders-mapping") // without credentials
	fmt.Println(diagnosis.Text, diagnosis.Code)
	fmt.Println(diagnosis.Detail)
	// Output:
	// Cluster failed to authorize Lambda. EVENT_SOURCE_AUTHZ_ERROR
	// principal User:ANONYMOUS lacks an ACL on the group "orders-mapping"
}

func ExampleValidateSourceAccess() {
	for _, problem := range auth.ValidateSourceAccess([]auth.SourceAccessConfiguration{
		{Type: auth.BasicAuth, URI: "file:kafka.json"},
		{Type: auth.ClientCertificateTLSAuth, URI: "file:mtls.json"},
	}) {
		fmt.Println(problem.Path(), "and", problem.OtherPath())
		fmt.Println(problem.Message)
	}
	// Output:
	// SourceAccessConfigurations[1].Type and SourceAccessConfigurations[0].Type
	// CLIENT_CERTIFICATE_TLS_AUTH and BASIC_AUTH are two ways to authenticate
}
