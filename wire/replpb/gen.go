// Package replpb holds the protobuf messages of replication.
package replpb

//go:generate protoc --go_out=. --go_opt=paths=source_relative replication.proto
