// Package api serves AWS Lambda's REST API for event source mappings and their tags, backed by a manager.Manager. The
// aws command, boto3 and the AWS SDKs work with it once their endpoint URL (--endpoint-url) points to it.
//
//	handler, err := api.New(m, api.WithCredentials(api.Credentials{
//		AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: auth.NewSecret(os.Getenv("ESM_SECRET_ACCESS_KEY")),
//	}))
//	…
//	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
//
// Paths, status codes, headers and bodies are AWS's, and so are the texts as far as they are known. docs/api.md
// describes each operation and each difference from AWS.
//
// A caller of the API chooses which servers the service connects to, with which secrets, and where it writes. Requests
// must therefore be signed (Signature Version 4) with one of the given credentials, and manager.WithAllowed restricts
// what mappings may refer to.
package api
