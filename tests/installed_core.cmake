# cmake -D SOURCE=... -D SCRATCH=... -D GENERATOR=... -D COMPILER=... -P installed_core.cmake: uses the core as two
# projects would that are not ours, one by find_package and one by add_subdirectory.
function(run)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE printed ERROR_VARIABLE printed RESULT_VARIABLE status TIMEOUT 100)
  if(NOT status STREQUAL "0")
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command} ended with ${status}; it printed:\n${printed}")
  endif()
endfunction()

# A project of six lines; its first one brings the core. The other user has a narrowing that it was never told to mind.
function(write_user FOLDER BRING)
  file(WRITE ${FOLDER}/CMakeLists.txt "cmake_minimum_required(VERSION 3.25)
project(user LANGUAGES CXX)
${BRING}
add_executable(user main.cpp)
target_link_libraries(user PRIVATE cellroute::cellroute)
install(TARGETS user)
")
  file(WRITE ${FOLDER}/main.cpp "#include <cellroute/cellroute.hpp>
int narrow(long wide) { return wide; }
int main(int count, char**) {
  const cellroute::key_table table;
  return narrow(count) == 1 && !table.find(\"acme\") ? 0 : 1;
}
")
endfunction()

set(configure ${CMAKE_COMMAND} -G ${GENERATOR} -D CMAKE_CXX_COMPILER=${COMPILER} -D CELLROUTE_WARNINGS_AS_ERRORS=ON)
file(REMOVE_RECURSE ${SCRATCH})

run(${configure} -S ${SOURCE} -B ${SCRATCH}/core -D CELLROUTE_ADAPTERS=OFF -D CELLROUTE_EXAMPLES=OFF -D CELLROUTE_TESTS=OFF)
run(${CMAKE_COMMAND} --install ${SCRATCH}/core --prefix ${SCRATCH}/installed)
write_user(${SCRATCH}/finds "find_package(cellroute 0.1 REQUIRED)")
run(${configure} -S ${SCRATCH}/finds -B ${SCRATCH}/finds/build -D CMAKE_PREFIX_PATH=${SCRATCH}/installed)
run(${CMAKE_COMMAND} --build ${SCRATCH}/finds/build)
run(${SCRATCH}/finds/build/user)

write_user(${SCRATCH}/adds "add_subdirectory(${SOURCE} cellroute)")
run(${configure} -S ${SCRATCH}/adds -B ${SCRATCH}/adds/build)
run(${CMAKE_COMMAND} --build ${SCRATCH}/adds/build)
run(${SCRATCH}/adds/build/user)
run(${CMAKE_COMMAND} --install ${SCRATCH}/adds/build --prefix ${SCRATCH}/adds/installed)
file(GLOB_RECURSE installed RELATIVE ${SCRATCH}/adds/installed ${SCRATCH}/adds/installed/*)
if(NOT installed STREQUAL "bin/user")
  message(FATAL_ERROR "the project that adds the core as a folder installs ${installed}, not its own program alone")
endif()
file(GLOB_RECURSE built ${SCRATCH}/adds/build/cellroute/*.o ${SCRATCH}/adds/build/cellroute/*.a)
if(built)
  message(FATAL_ERROR "the project that adds the core as a folder builds of ours: ${built}")
endif()
