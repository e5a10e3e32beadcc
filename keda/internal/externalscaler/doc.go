// Package externalscaler is the wire contract between KEDA and an external scaler: Go code that protoc
// generated from externalscaler.proto. To regenerate it, with protoc 35.1 on the path:
//
//	go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
//	go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
//	go generate ./internal/externalscaler
package externalscaler

//go:generate protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative externalscaler.proto
