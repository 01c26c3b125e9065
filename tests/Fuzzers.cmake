# With -DFUZZ=ON (clang) libFuzzer searches for FUZZ_SECONDS from the corpus;
# else driver.c only replays the corpus, under any compiler. A line "fuzz-module:
# base" in the source links that module instead of all.
file(GLOB fuzzers CONFIGURE_DEPENDS fuzz/fuzz_*.c)
if(FUZZ AND NOT CMAKE_C_COMPILER_ID STREQUAL Clang)
	message(FATAL_ERROR "FUZZ=ON needs clang: configure with -DCMAKE_C_COMPILER=clang")
endif()

foreach(source IN LISTS fuzzers)
	cmake_path(GET source STEM name)
	string(REPLACE fuzz_ "" subject ${name})
	set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${subject})
	if(FUZZ)
		add_executable(${name} ${source})
		target_link_options(${name} PRIVATE -fsanitize=fuzzer)
		set(found ${CMAKE_CURRENT_BINARY_DIR}/found/${subject})
		file(MAKE_DIRECTORY ${found})
		# New inputs go to the build tree; the one that crashed is named by
		# libFuzzer and is copied into the corpus by whoever fixes it.
		add_test(NAME ${name} COMMAND ${name} -max_total_time=${FUZZ_SECONDS} -timeout=10
			-rss_limit_mb=1024 -max_len=65536 ${found} ${corpus})
	else()
		add_executable(${name} ${source} fuzz/driver.c)
		add_test(NAME ${name} COMMAND ${name} ${corpus})
	endif()
	file(STRINGS ${source} module REGEX "fuzz-module:")
	if(module)
		string(REGEX REPLACE ".*fuzz-module: *([a-z]+).*" "\\1" module "${module}")
	else()
		set(module fs runtime graph net base)
	endif()
	link_modules(${name} ${module})
	set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 120
		ENVIRONMENT "${sanitizer_env}")
endforeach()
