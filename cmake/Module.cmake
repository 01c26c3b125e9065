# add_module(NAME [LINKS lib...] [WITHOUT file-or-folder...]): a static library of
# all NAME/*.c and NAME/*/*.c. A folder without any gives no target, so that
# link_modules() must be used to link it.
function(add_module name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LINKS;WITHOUT")
	file(GLOB sources RELATIVE ${CMAKE_SOURCE_DIR} CONFIGURE_DEPENDS ${name}/*.c ${name}/*/*.c)
	foreach(left_out IN LISTS arg_WITHOUT)
		list(FILTER sources EXCLUDE REGEX "^${left_out}(/|$)")
	endforeach()
	if(NOT sources)
		return()
	endif()
	add_library(${name} STATIC ${sources})
	link_modules(${name} ${arg_LINKS})
endfunction()

# Link what exists of the libraries named.
function(link_modules target)
	foreach(lib IN LISTS ARGN)
		if(TARGET ${lib})
			target_link_libraries(${target} PUBLIC ${lib})
		endif()
	endforeach()
endfunction()
