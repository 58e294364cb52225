	.section .rodata
	.global standin_begin
	.hidden standin_begin
	.global standin_end
	.hidden standin_end
standin_begin:
	.incbin "/build/standin.pyz"
standin_end:
	.section .note.GNU-stack,"",@progbits
