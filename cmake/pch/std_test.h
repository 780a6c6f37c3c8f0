// std.h and GoogleTest: for the tests of the pure layers.
#pragma once

#include "std.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
