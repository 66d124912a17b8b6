// Package node puts a node together: a stack with its links (package local) and this
// node's part in a group (package replication). Type ftcp.Node is its public face.
//
// A [Node] builds itself at the first Listen or Dial, from a [Config] that is checked
// then. It joins its group at the end of that first call. Errors name the fields of
// ftcp.Node, which is where their readers can mend them.
//
// No method but Listen, Dial, Handover and Close waits for anything.
package node
