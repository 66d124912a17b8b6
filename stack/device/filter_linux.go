package device

import (
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// A rule is loads and conditions. If all conditions hold, it decides what happens to the
// packet, otherwise the next rule is asked. The last word is to drop.
type rule struct {
	accept bool
	when   []bpf.Instruction
}

func accept(when ...bpf.Instruction) rule { return rule{true, when} }
func drop(when ...bpf.Instruction) rule   { return rule{false, when} }

// Loads into the register A, which conditions compare.

func load(offset, size uint32) bpf.Instruction {
	return bpf.LoadAbsolute{Off: offset, Size: int(size)}
}
func loadX(offset, size uint32) bpf.Instruction { // relative to the register X
	return bpf.LoadIndirect{Off: offset, Size: int(size)}
}
func loadExtension(e bpf.Extension) bpf.Instruction { return bpf.LoadExtension{Num: e} }

// Conditions. Where to jump is filled in by compile.

func equal(v uint32) bpf.Instruction    { return bpf.JumpIf{Cond: bpf.JumpEqual, Val: v} }
func notEqual(v uint32) bpf.Instruction { return bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: v} }
func atLeast(v uint32) bpf.Instruction  { return bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: v} }
func atMost(v uint32) bpf.Instruction   { return bpf.JumpIf{Cond: bpf.JumpLessOrEqual, Val: v} }
func anyBit(v uint32) bpf.Instruction   { return bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: v} }

// addressIs loads and compares the address at offset.
func addressIs(offset uint32, addr netip.Addr) []bpf.Instruction {
	var when []bpf.Instruction
	b := addr.AsSlice()
	for i := 0; i < len(b); i += 4 {
		when = append(when, load(offset+uint32(i), 4),
			equal(uint32(b[i])<<24|uint32(b[i+1])<<16|uint32(b[i+2])<<8|uint32(b[i+3])))
	}
	return when
}

// compile makes a program of the rules.
func compile(rules []rule) []bpf.Instruction {
	const whole = 1 << 20 // bytes to deliver: more than any packet has
	var program []bpf.Instruction
	for _, r := range rules {
		for i, ins := range r.when {
			if jump, ok := ins.(bpf.JumpIf); ok {
				jump.SkipFalse = uint8(len(r.when) - i) // over the rest of the rule and its verdict
				ins = jump
			}
			program = append(program, ins)
		}
		verdict := bpf.RetConstant{}
		if r.accept {
			verdict.Val = whole
		}
		program = append(program, verdict)
	}
	return append(program, bpf.RetConstant{Val: 0})
}

// attach sets or replaces the filter of a socket, in one step.
func attach(fd int, rules []rule) error {
	raw, err := bpf.Assemble(compile(rules))
	if err != nil {
		return fmt.Errorf("device: packet filter: %w", err)
	}
	prog := unix.SockFprog{Len: uint16(len(raw)), Filter: (*unix.SockFilter)(unsafe.Pointer(&raw[0]))}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog)
}
