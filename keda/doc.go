// Package keda is a KEDA external scaler: it drives the number of replicas of a
// service with the policies of package scaling, the very ones that scale the
// workers inside a process.
//
// For each ScaledObject that KEDA asks about, one loop reads the group's
// committed offsets, the ends of its partitions and its members, makes a
// [scaling.Sample] of them, asks the policy, and remembers the answer. The four
// calls of KEDA's contract are served from that memory, so KEDA and the HPA may
// ask as often as they like without the brokers noticing.
//
//	server := keda.New(keda.Options{Secrets: keda.NamespacedFiles("/run/secrets/esm")})
//	defer server.Close()
//	server.Register(grpcServer)
//
// The program esm-keda-scaler in cmd is all there is to run it. What to write
// into a ScaledObject is in docs/keda.md of the main module; [Fields] lists it.
//
// It is a module of its own so that gRPC stays out of the go.mod of services.
package keda
