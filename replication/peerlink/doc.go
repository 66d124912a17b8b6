// Package peerlink is the connection between two nodes of a group: TLS 1.3, in which both
// prove that they know the group's secret, and in it frames of package replpb. It knows
// no groups and no roles.
package peerlink
