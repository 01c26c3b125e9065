# Compiler flags of everything that we compile, and the sanitizers'.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

set(warning_flags
	-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2 -Wstrict-prototypes
	-Wmissing-prototypes -Wundef)
if(WERROR)
	list(APPEND warning_flags -Werror)
endif()

# What every file sees before its first line: the banned functions.
set(common_flags -include ${CMAKE_SOURCE_DIR}/base/banned.h)
set(common_defines _GNU_SOURCE _FILE_OFFSET_BITS=64)

foreach(flag IN LISTS warning_flags)
	add_compile_options($<$<COMPILE_LANGUAGE:C>:${flag}>)
endforeach()
add_compile_options("$<$<COMPILE_LANGUAGE:C>:SHELL:${common_flags}>")
add_compile_definitions(${common_defines} CONTAINERFS_VERSION="${PROJECT_VERSION}")
include_directories(${CMAKE_SOURCE_DIR})

if(SANITIZE)
	# Some optimisation: half the time of the tests, and of what a trace shows nothing is lost.
	set(sanitize_flags -fsanitize=${SANITIZE} -fno-omit-frame-pointer -g1 -O1)
	if(SANITIZE MATCHES undefined)
		list(APPEND sanitize_flags -fno-sanitize-recover=undefined)
	endif()
elseif(FUZZ)
	set(sanitize_flags -fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer -g
		-fno-sanitize-recover=undefined)
else()
	# The sanitizers do this themselves, and an unoptimised build cannot.
	add_compile_options($<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
	add_compile_options(-fstack-protector-strong)
	add_link_options(-Wl,-z,relro,-z,now)
endif()
add_compile_options(${sanitize_flags})
add_link_options(${sanitize_flags})

if(COVERAGE)
	add_compile_options(--coverage)
	add_link_options(--coverage)
endif()
