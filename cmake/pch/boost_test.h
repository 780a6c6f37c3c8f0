// boost.h and GoogleTest: for the tests of the layers that do I/O.
#pragma once

#include "boost.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
