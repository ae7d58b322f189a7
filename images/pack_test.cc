#include "images/pack.h"

#include <gtest/gtest.h>
