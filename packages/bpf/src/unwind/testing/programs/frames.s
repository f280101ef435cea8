# SPDX-License-Identifier: Apache-2.0
#
# Every call frame instruction, in functions that are never called: linked as a library, so that
# readelf and our reader can be asked what they make of it. Bytes after .cfi_escape are opcodes that
# the assembler has no directive for.
	.text

	.globl restores
restores:
	.cfi_startproc
	push %rbp
	.cfi_adjust_cfa_offset 8
	.cfi_offset %rbp, -16
	mov %rsp, %rbp
	.cfi_def_cfa_register %rbp
	.cfi_remember_state
	leave
	.cfi_def_cfa %rsp, 8
	.cfi_restore %rbp
	.cfi_remember_state
	nop
	.cfi_def_cfa_offset 4096
	nop
	.cfi_restore_state
	ret
	.cfi_restore_state
	nop
	.cfi_same_value %rbp
	nop
	.cfi_undefined %rbp
	nop
	.cfi_undefined %rbx
	ret
	.cfi_endproc

# A frame larger than 16 bits say, and one larger than 31.
	.globl wide
wide:
	.cfi_startproc
	sub $0x200000, %rsp
	.cfi_def_cfa_offset 0x200008
	nop
	.cfi_offset %rbp, -0x200000
	nop
	.cfi_def_cfa_offset 0x100000008
	nop
	.cfi_def_cfa_offset 8
	ret
	.cfi_endproc

	.globl registers
registers:
	.cfi_startproc
	pop %rdi
	.cfi_register %rip, %rdi
	.cfi_adjust_cfa_offset -8
	nop
	.cfi_register %rbp, %r9
	nop
	.cfi_register %rbx, %r8
	jmp *%rdi
	.cfi_endproc

	.globl values
values:
	.cfi_startproc
	nop
	.cfi_val_offset %rbp, -32
	nop
	.cfi_escape 0x15, 6, 4			# val_offset_sf rbp, 4 * -8
	nop
	.cfi_escape 0x16, 6, 2, 0x77, 24	# val_expression rbp = rsp + 24
	nop
	.cfi_escape 0x10, 6, 2, 0x76, 0x70	# expression rbp = *(rbp - 16)
	nop
	.cfi_escape 0x11, 3, 2			# offset_extended_sf rbx, 2 * -8
	nop
	.cfi_escape 0x2f, 6, 4			# GNU_negative_offset_extended rbp: -4 * -8
	nop
	.cfi_escape 0x2e, 16			# GNU_args_size
	nop
	.cfi_escape 0x05, 6, 3			# offset_extended rbp
	nop
	.cfi_escape 0x06, 6			# restore_extended rbp
	nop
	.cfi_escape 0x12, 7, 0x7c		# def_cfa_sf rsp, -4 * -8
	nop
	.cfi_escape 0x13, 0x7e			# def_cfa_offset_sf -2 * -8
	ret
	.cfi_endproc

	.globl expressions
expressions:
	.cfi_startproc
	nop
	.cfi_escape 0x0f, 3, 0x76, 0x78, 0x06		# *(rbp - 8)
	nop
	.cfi_escape 0x0f, 5, 0x77, 40, 0x06, 0x23, 8	# *(rsp + 40) + 8
	nop
	.cfi_escape 0x0f, 2, 0x7a, 0			# r10
	nop
	# *(rsp + 8 * r9 + 8) + 8
	.cfi_escape 0x0f, 10, 0x77, 8, 0x79, 0, 0x38, 0x1e, 0x22, 0x06, 0x23, 8
	nop
	.cfi_escape 0x0f, 4, 0x77, 8, 0x06, 0x06	# **(rsp + 8): no rule says it
	nop
	.cfi_def_cfa %rsp, 8
	# What an entry of the procedure linkage table has, in both of its forms.
	nop
	.cfi_escape 0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22
	nop
	.cfi_escape 0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3a, 0x2a, 0x33, 0x24, 0x22
	nop
	.cfi_def_cfa %rsp, 8
	.cfi_offset %rsp, -24				# setcontext: the stack pointer is not the CFA
	ret
	.cfi_endproc

	.globl outermost
outermost:
	.cfi_startproc
	.cfi_undefined %rip
	hlt
	.cfi_endproc

# Advances of one, two and four bytes, and a gap after it that belongs to nobody.
	.globl advances
advances:
	.cfi_startproc
	.skip 100, 0x90
	.cfi_def_cfa_offset 16
	.skip 1000, 0x90
	.cfi_def_cfa_offset 24
	.skip 70000, 0x90
	.cfi_def_cfa_offset 32
	ret
	.cfi_endproc
	.skip 300, 0x90

	.globl interrupted
interrupted:
	.cfi_startproc
	.cfi_signal_frame
	nop
	.cfi_def_cfa_offset 64
	ret
	.cfi_endproc

# The code that C libraries return from signal handlers with, described only by its bytes.
	.balign 16
	.skip 8, 0x90
	.globl signal_return
signal_return:
	.cfi_startproc
	mov $15, %rax
	syscall
	.cfi_endproc
	.skip 64, 0x90

# Two descriptions of one place: the later one counts from its start on.
	.globl overlapping
overlapping:
	.cfi_startproc
	nop
	.cfi_def_cfa_offset 16
	.skip 8, 0x90
inner:
	.skip 8, 0x90
	.cfi_def_cfa_offset 24
	ret
	.cfi_endproc
	.section .eh_frame, "a", @unwind
.Lfirst:
	.long .Lcie_end - .Lcie
.Lcie:
	.long 0
	.byte 1
	.string "zR"
	.uleb128 1
	.sleb128 -8
	.byte 16
	.uleb128 1
	.byte 0x1c				# pcrel sdata8
	.byte 0x0c, 7, 8			# def_cfa rsp, 8
	.byte 0x80 | 16, 1			# offset rip
	.balign 8
.Lcie_end:
	.long .Lfde_end - .Lfde
.Lfde:
	.long .Lfde - .Lfirst
	.quad inner - .
	.quad 4
	.uleb128 0
	.byte 0x0e, 40				# def_cfa_offset
	.balign 8
.Lfde_end:
	.section .note.GNU-stack, "", @progbits
