# The library tus, made of all layers but app, and what `cmake --install` puts where. Consumers: find_package(tus).

include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

add_library(tus)
add_library(tus::tus ALIAS tus)
get_property(layers GLOBAL PROPERTY TUS_LAYERS)
# metrics needs prometheus-cpp, which no embedder has to install: a MetricsSink of their own does.
list(REMOVE_ITEM layers app metrics testing)
foreach(layer IN LISTS layers)
  _tus_target_name(layer_target ${layer})
  get_target_property(type ${layer_target} TYPE)
  if(type STREQUAL "OBJECT_LIBRARY")
    target_sources(tus PRIVATE $<TARGET_OBJECTS:${layer_target}>)
  endif()
  get_property(libs GLOBAL PROPERTY "TUS_LIBS_${layer}")
  target_link_libraries(tus PRIVATE ${libs})
endforeach()
target_sources(tus PRIVATE $<TARGET_OBJECTS:tus_boost_impl>)
target_include_directories(tus PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(tus PUBLIC Boost::headers Threads::Threads PRIVATE Boost::json $<BUILD_INTERFACE:tus_flags>)
# An embedder shares Asio with us, so it has to see the same one: its functions live in our library. Asio keeps its own
# default visibility for that reason. Beast is not part of the public headers and stays our own business.
target_compile_definitions(tus PUBLIC ${TUS_ASIO_DEFINITIONS} $<$<BOOL:${BUILD_SHARED_LIBS}>:TUS_SHARED>)
target_compile_features(tus PUBLIC cxx_std_23)
set_target_properties(tus PROPERTIES LINKER_LANGUAGE CXX VERSION ${PROJECT_VERSION} SOVERSION 0)

install(TARGETS tus EXPORT tus-targets)
install(TARGETS tusd COMPONENT server)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/tus" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
install(EXPORT tus-targets NAMESPACE tus:: DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/tus")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/tus-config.cmake.in" "${PROJECT_BINARY_DIR}/tus-config.cmake"
  INSTALL_DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/tus")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/tus-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/tus-config.cmake" "${PROJECT_BINARY_DIR}/tus-config-version.cmake"
  DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/tus")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
