# Programs that outlive the engine: static, musl, never instrumented, and embedded into a
# library as the bytes NAME_image_start..NAME_image_end.
#
#   add_static_program(NAME LIBRARY FOLDER [further source files])
#
# base/error.c is offered to the shim because a failed start travels as one struct error; what
# a program does not call is dropped by the linker.
function(add_static_program name library folder)
	file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.c)
	if(NOT sources)
		return()
	endif()
	list(APPEND sources ${ARGN})
	file(GLOB headers CONFIGURE_DEPENDS ${folder}/*.h ${folder}/../*.h ${folder}/../*/*.h base/*.h)
	find_program(MUSL_GCC musl-gcc REQUIRED)
	# musl brings no kernel headers: the system's are looked at last.
	find_path(KERNEL_INCLUDE linux/openat2.h REQUIRED)
	find_path(KERNEL_ASM_INCLUDE asm/unistd.h REQUIRED)
	list(TRANSFORM common_defines PREPEND -D OUTPUT_VARIABLE defines)

	set(program ${CMAKE_BINARY_DIR}/containerfs-${name})
	add_custom_command(OUTPUT ${program}
		COMMAND ${MUSL_GCC} -static -std=gnu17 -Os ${warning_flags} ${common_flags} ${defines}
			-ffunction-sections -fdata-sections -Wl,--gc-sections -s
			-I ${CMAKE_SOURCE_DIR} -idirafter ${KERNEL_INCLUDE}
			-idirafter ${KERNEL_ASM_INCLUDE} -o ${program} ${sources}
		DEPENDS ${sources} ${headers} ${program_parts}
		COMMENT "Building containerfs-${name}" VERBATIM)
	add_custom_target(${name} ALL DEPENDS ${program})

	if(TARGET ${library})
		set(image ${CMAKE_BINARY_DIR}/${name}_image.S)
		file(CONFIGURE OUTPUT ${image} @ONLY CONTENT [[
	.section .rodata
	.global @name@_image_start
	.global @name@_image_end
	.balign 16
@name@_image_start:
	.incbin "@program@"
@name@_image_end:
	.byte 0
	.section .note.GNU-stack, "", %progbits
]])
		set_source_files_properties(${image} PROPERTIES OBJECT_DEPENDS ${program})
		target_sources(${library} PRIVATE ${image})
		add_dependencies(${library} ${name})
	endif()
endfunction()
