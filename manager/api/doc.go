// Package api serves AWS Lambda's REST API for event source mappings, and for their tags, over a manager.Manager: the
// aws command, boto3 and the AWS SDKs work with it by --endpoint-url alone.
//
//	handler, err := api.New(m, api.WithCredentials(api.Credentials{
//		AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: auth.NewSecret(os.Getenv("ESM_SECRET_ACCESS_KEY")),
//	}))
//	…
//	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
//
// Paths, status codes, headers and bodies are AWS's, and so are the texts where they are known. Each operation, and each
// difference to AWS, is in docs/api.md.
//
// Whoever may call the API chooses which servers are connected to, with which secrets, and what is written to: requests
// are signed (Signature Version 4) with one of the credentials given, and manager.WithAllowed bounds where mappings may
// lead.
package api
