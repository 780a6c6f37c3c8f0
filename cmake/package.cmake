# The Debian package of the server: `make deb`. What is in it besides the component `server` is put there by
# cmake/package_contents.cmake; the maintainer scripts are in deploy/debian.

set(TUS_PACKAGER "tusd packagers <packagers@tusd.localdomain>" CACHE STRING "Who built the package, for its field Maintainer")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME tusd)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_CONTACT "${TUS_PACKAGER}")
set(CPACK_PACKAGE_DIRECTORY "${PROJECT_BINARY_DIR}/packages")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ
  WORLD_EXECUTE)

# The library and its headers stay outside: they belong to the compiler that made them.
set(CPACK_COMPONENTS_ALL server)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_PRE_BUILD_SCRIPTS "${CMAKE_CURRENT_LIST_DIR}/package_contents.cmake")
set(CPACK_TUS_SOURCE "${PROJECT_SOURCE_DIR}") # for that script

set(CPACK_DEBIAN_PACKAGE_NAME tusd)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# useradd, where there is no systemd-sysusers; whom to believe when a hook is called over HTTPS.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "passwd, ca-certificates")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "server for resumable uploads over HTTP")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Clients of the protocol tus 1.0 upload files in pieces, and go on where they
were after a lost connection, a restart or a crash of either side. Uploads
are kept as files in a directory. Options, files, errors and metrics are those
of the tusd written in Go, so this server can take its place.")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA "")
foreach(script IN ITEMS conffiles postinst prerm postrm)
  list(APPEND CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA "${PROJECT_SOURCE_DIR}/deploy/debian/${script}")
endforeach()

include(CPack)
