# Man pages: docs/NAME.SECTION.scd, rendered by scdoc and installed.
file(GLOB manuals RELATIVE ${CMAKE_SOURCE_DIR} CONFIGURE_DEPENDS docs/*.[1-8].scd)
if(manuals)
	find_program(SCDOC scdoc REQUIRED)
endif()
foreach(source IN LISTS manuals)
	cmake_path(GET source STEM LAST_ONLY page)
	string(REGEX MATCH "[1-8]$" section ${page})
	set(page_file ${CMAKE_BINARY_DIR}/man/${page})
	add_custom_command(OUTPUT ${page_file}
		COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/man
		COMMAND ${SCDOC} < ${CMAKE_SOURCE_DIR}/${source} > ${page_file}
		DEPENDS ${CMAKE_SOURCE_DIR}/${source})
	list(APPEND pages ${page_file})
	install(FILES ${page_file} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
add_custom_target(manuals ALL DEPENDS ${pages})
