package device

// For the tests that need package stack, which imports this one.
var (
	NewNamespace = newNamespace
	RemoveLink   = removeLink
)
