"""`python -m tests.chaos.publisher`: publishes as many signals as the folder's file `released` says.

A kill or a database that is away ends it; the supervisor starts it again, and it goes on where it died.
"""

import django

if __name__ == "__main__":
    django.setup()
    from tests.chaos.publishing import publish_released

    publish_released()
