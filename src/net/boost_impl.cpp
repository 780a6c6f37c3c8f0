// The one place where the functions of Asio and Beast are compiled (BOOST_ASIO_SEPARATE_COMPILATION): everywhere else
// their headers only declare them, which takes seconds off every other file.
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
