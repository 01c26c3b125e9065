# The program that holds one container: static, musl, never instrumented, and
# embedded into library runtime as the bytes shim_image_start..shim_image_end.
#
# base/error.c is offered to it because a failed start travels as one struct
# error; what the shim does not call is dropped by the linker.
function(add_shim)
	file(GLOB sources CONFIGURE_DEPENDS runtime/shim/*.c)
	if(NOT sources)
		return()
	endif()
	list(APPEND sources ${CMAKE_SOURCE_DIR}/base/error.c)
	file(GLOB headers CONFIGURE_DEPENDS runtime/shim/*.h runtime/*.h base/*.h)
	list(APPEND headers ${CMAKE_SOURCE_DIR}/runtime/logformat.c ${CMAKE_SOURCE_DIR}/runtime/logscan.c)
	find_program(MUSL_GCC musl-gcc REQUIRED)
	# musl brings no kernel headers: the system's are looked at last.
	find_path(KERNEL_INCLUDE linux/openat2.h REQUIRED)
	find_path(KERNEL_ASM_INCLUDE asm/unistd.h REQUIRED)
	list(TRANSFORM common_defines PREPEND -D OUTPUT_VARIABLE defines)

	set(shim ${CMAKE_BINARY_DIR}/containerfs-shim)
	add_custom_command(OUTPUT ${shim}
		COMMAND ${MUSL_GCC} -static -std=gnu17 -Os ${warning_flags} ${common_flags} ${defines}
			-ffunction-sections -fdata-sections -Wl,--gc-sections -s
			-I ${CMAKE_SOURCE_DIR} -idirafter ${KERNEL_INCLUDE}
			-idirafter ${KERNEL_ASM_INCLUDE} -o ${shim} ${sources}
		DEPENDS ${sources} ${headers}
		COMMENT "Building containerfs-shim" VERBATIM)
	add_custom_target(shim ALL DEPENDS ${shim})

	if(TARGET runtime)
		set(image ${CMAKE_BINARY_DIR}/shim_image.S)
		file(CONFIGURE OUTPUT ${image} @ONLY CONTENT [[
	.section .rodata
	.global shim_image_start
	.global shim_image_end
	.balign 16
shim_image_start:
	.incbin "@shim@"
shim_image_end:
	.byte 0
	.section .note.GNU-stack, "", %progbits
]])
		set_source_files_properties(${image} PROPERTIES OBJECT_DEPENDS ${shim})
		target_sources(runtime PRIVATE ${image})
		add_dependencies(runtime shim)
	endif()
endfunction()
