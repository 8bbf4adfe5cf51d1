"""How Alembic reaches the database: over the connection that `Database.migrate` hands it."""

from alembic import context

from app.core import access
from app.core.db import Base
from app.modules.alerts import models as alerts
from app.modules.auth import models as auth
from app.modules.care_team import models as care_team
from app.modules.devices import models as devices
from app.modules.limits import models as limits
from app.modules.patients import models as patients
from app.modules.strips import models as strips
from app.modules.users import models as users
from app.modules.vitals import models as vitals

#: Everything that defines a table, so that a new migration is compared with all of them.
TABLES_COME_FROM = (access, alerts, auth, care_team, devices, limits, patients, strips, users, vitals)

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
