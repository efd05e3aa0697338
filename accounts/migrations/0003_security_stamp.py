from django.db import migrations, models

from storage.migrating import AddFieldOnce


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_as_shown'),
    ]

    operations = [
        # With a constant default of the database's own, PostgreSQL (from 11 on) writes it into its catalogue and no row
        # anew; and processes of the version before, which do not name the column, can go on adding people.
        AddFieldOnce(
            model_name='user',
            name='security_stamp',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=32),
        ),
    ]
