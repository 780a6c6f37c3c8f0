# Run by CPack on what it has installed, before it makes the package of it: adds what only the package has, and puts
# things where Debian wants them.
set(root "${CPACK_TEMPORARY_INSTALL_DIRECTORY}")
if(EXISTS "${root}/ALL_COMPONENTS_IN_ONE")
  string(APPEND root "/ALL_COMPONENTS_IN_ONE")
endif()
set(deploy "${CPACK_TUS_SOURCE}/deploy")
set(docs "${root}/usr/share/doc/tusd")

function(put file destination name)
  file(MAKE_DIRECTORY "${destination}")
  configure_file("${file}" "${destination}/${name}" COPYONLY NO_SOURCE_PERMISSIONS)
endfunction()

# -n: without the time, so that the same sources give the same file.
function(compress file)
  execute_process(COMMAND gzip -9nf "${file}" COMMAND_ERROR_IS_FATAL ANY)
endfunction()

put("${deploy}/systemd/tusd.service" "${root}/lib/systemd/system" tusd.service)
put("${deploy}/systemd/tusd.socket" "${docs}/examples" tusd.socket)
foreach(example IN ITEMS nginx.conf haproxy.cfg Caddyfile apache2.conf)
  put("${deploy}/proxies/${example}" "${docs}/examples" "${example}")
endforeach()
foreach(example IN ITEMS alerts.yml dashboard.json prometheus.yml)
  put("${deploy}/monitoring/${example}" "${docs}/examples" "${example}")
endforeach()
put("${deploy}/debian/tusd.sysusers" "${root}/usr/lib/sysusers.d" tusd.conf)
put("${deploy}/debian/tusd.toml" "${root}/etc/tusd" tusd.toml)
put("${deploy}/debian/copyright" "${docs}" copyright)
put("${deploy}/debian/lintian-overrides" "${root}/usr/share/lintian/overrides" tusd)
foreach(document IN ITEMS operations proxies browser configuration migrating-from-tusd monitoring hooks security)
  put("${CPACK_TUS_SOURCE}/docs/${document}.md" "${docs}" "${document}.md")
endforeach()

string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC) # knows SOURCE_DATE_EPOCH
file(WRITE "${docs}/changelog" "tusd (${CPACK_PACKAGE_VERSION}) unstable; urgency=medium

  * Built from version ${CPACK_PACKAGE_VERSION} of the sources.

 -- ${CPACK_PACKAGE_CONTACT}  ${date}
")
compress("${docs}/changelog")
compress("${root}/usr/share/man/man1/tusd.1")
# Debian's zsh does not look where zsh itself would.
file(RENAME "${root}/usr/share/zsh/site-functions" "${root}/usr/share/zsh/vendor-completions")

# Whatever the umask of the one who builds is.
file(GLOB_RECURSE entries LIST_DIRECTORIES true "${root}/*")
foreach(entry IN LISTS entries)
  if(IS_DIRECTORY "${entry}" OR entry MATCHES "/usr/bin/tusd$")
    set(execute OWNER_EXECUTE GROUP_EXECUTE WORLD_EXECUTE)
  else()
    set(execute "")
  endif()
  file(CHMOD "${entry}" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ ${execute})
endforeach()
