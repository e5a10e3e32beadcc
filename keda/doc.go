// Package keda is a KEDA external scaler: it controls the number of replicas of a service with the policies
// of package scaling, the same ones that scale the workers inside a process.
//
// For each ScaledObject that KEDA asks about, one loop reads the group's committed offsets, the ends of its
// partitions and its members, builds a [scaling.Sample] from them, asks the policy, and stores the answer.
// The four calls of KEDA's contract are served from memory, so KEDA and the HPA may ask as often as they like
// without any load on the brokers.
//
//	server := keda.New(keda.Options{Secrets: keda.NamespacedFiles("/run/secrets/esm")})
//	defer server.Close()
//	server.Register(grpcServer)
//
// The program esm-keda-scaler in cmd is all that is needed to run it. docs/keda.md of the main module
// describes what to write into a ScaledObject; [Fields] lists the names.
//
// It is a separate module so that gRPC stays out of the go.mod of services.
package keda
